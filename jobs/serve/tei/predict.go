// Package tei has the shapes of POST /predict and GET /info of Text Embeddings Inference, so
// that its clients can ask sprint. What is classified is a string, a pair of strings
// [title, description], or a batch of lists of one or two strings. An answer has every
// category, the most probable one first.
package tei

import (
	"cmp"
	"errors"
	"net/http"
	"slices"

	"github.com/sprint-ml/sprint/jobs/serve/body"
	"github.com/sprint-ml/sprint/ml/classify"
)

// Request is what is asked.
type Request struct {
	Texts []classify.Text
	Batch bool // the answer is a list of lists
	Raw   bool // scores as the model gives them, from -1 to 1
}

var fields = []string{"inputs", "raw_scores", "truncate", "truncation_direction"}

// errShape is of inputs that are none.
var errShape = errors.New("inputs is a string, a pair [title, description], or a batch [[title], [title, description], ...]")

// Read reads a request. room is asked before each text, counted from 0.
func Read(b *body.Reader, room func(i int) error) (q Request, err error) {
	asked := false
	err = b.Object(fields, func(name string) (_ bool, err error) {
		switch name {
		case "inputs":
			asked = true
			err = q.inputs(b, room)
		case "raw_scores":
			q.Raw, err = b.Bool()
		case "truncate": // what is too long is cut by the server's own options
			_, err = b.Bool()
		case "truncation_direction":
			var s string
			if s, err = b.String(); err == nil && s != "Right" && s != "right" {
				err = errors.New("truncation_direction is Right: texts are cut at their end")
			}
		default:
			return false, nil
		}
		return true, err
	})
	if err == nil {
		err = b.End()
	}
	if err == nil && !asked {
		err = errShape
	}
	return q, err
}

func (q *Request) inputs(b *body.Reader, room func(i int) error) error {
	var pair []string
	one, list, err := b.StringOrList(func(i int) error {
		if err := room(i); err != nil {
			return err
		}
		var sequence []string
		s, nested, err := b.StringOrList(func(i int) error {
			if i == 2 {
				return errShape
			}
			s, err := b.String()
			sequence = append(sequence, s)
			return err
		})
		switch {
		case err != nil:
			return err
		case i > 0 && nested != q.Batch, !nested && i == 2, nested && len(sequence) == 0:
			return errShape
		case nested:
			q.Batch = true
			q.Texts = append(q.Texts, text(sequence))
		default:
			pair = append(pair, s)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case !list:
		pair = []string{one}
	case len(pair) == 0 && !q.Batch:
		return errShape
	}
	if !q.Batch {
		q.Texts = []classify.Text{text(pair)}
	}
	return nil
}

// text is one or two strings.
func text(sequence []string) classify.Text {
	t := classify.Text{Title: sequence[0]}
	if len(sequence) == 2 {
		t.Description = sequence[1]
	}
	return t
}

// Prediction is the answer for a category.
type Prediction struct {
	Score float64 `json:"score"`
	Label string  `json:"label"`
}

// Predictions are those of an answer that has all categories, the highest first. A score is
// the probability where the model has one, else the model's score, at least 0; raw is the
// model's score.
func Predictions(a classify.Answer, raw bool) []Prediction {
	out := make([]Prediction, 0, len(a.Categories))
	for name, s := range a.Categories {
		x := max(s.Score, 0)
		switch {
		case raw:
			x = s.Score
		case s.Probability != nil:
			x = *s.Probability
		}
		out = append(out, Prediction{x, name})
	}
	slices.SortFunc(out, func(a, b Prediction) int { return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Label, b.Label)) })
	return out
}

// Error is what a client is told.
type Error struct {
	Error string `json:"error"`
	Type  string `json:"error_type"`
}

// ErrorOf puts a status into the words of the protocol.
func ErrorOf(status int, message string) Error {
	kind := "Validation"
	switch status {
	case http.StatusTooManyRequests:
		kind = "Overloaded"
	case http.StatusServiceUnavailable:
		kind = "Unhealthy"
	case http.StatusInternalServerError, http.StatusGatewayTimeout:
		kind = "Backend"
	}
	return Error{message, kind}
}
