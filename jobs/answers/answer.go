package answers

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"

	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/stages/resources"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Answer is the answer about a row.
type Answer struct {
	ID  string `json:"id,omitempty"`
	URL string `json:"url,omitempty"`
	classify.Answer
}

// BadRow stands in the place of a row that could not be classified.
type BadRow struct {
	ID    string `json:"id,omitempty"`
	URL   string `json:"url,omitempty"`
	Error string `json:"error"`
}

// batchSize bounds memory for long inputs.
const batchSize = 1024

// Write answers about rows in their order, and counts those that could not be
// classified.
func Write(ctx context.Context, c *classify.Classifier, table []rows.Row, all bool, w Sink) (bad int, err error) {
	for len(table) > 0 {
		chunk := table[:min(batchSize, len(table))]
		table = table[len(chunk):]
		var texts []classify.Text
		for _, r := range chunk {
			if r.Problem == "" {
				texts = append(texts, classify.Text{Title: r.Title, Description: r.Description})
			}
		}
		answers, err := c.Classify(ctx, texts, all)
		if err != nil {
			return bad, resources.Computed(err)
		}
		for _, r := range chunk {
			problem, found := r.Problem, (*classify.Answer)(nil)
			if problem == "" {
				found, answers = &answers[0], answers[1:]
				problem = found.Problem
			}
			if problem != "" {
				bad++
				found = nil
			}
			err = w.Answer(r, found, problem)
			if err != nil {
				return bad, err
			}
		}
	}
	return bad, nil
}

// Sink takes answers in order.
type Sink interface {
	// Answer takes the answer about a row, or nil and what is wrong with the row.
	Answer(r rows.Row, a *classify.Answer, problem string) error
}

// NewSink is a sink of a format: csv, parquet, or JSON lines for any other. The
// caller calls end after the last answer; out stays open.
func NewSink(out io.Writer, format string, categories []string) (w Sink, end func() error, err error) {
	switch format {
	case rows.CSV:
		s := csvSink{csv.NewWriter(out), categories}
		return s, func() error { s.out.Flush(); return s.out.Error() }, s.header()
	case rows.Parquet:
		s := &parquetSink{names: categories}
		return s, func() error { return rows.WriteParquet(out, s.rows, categories) }, nil
	}
	return jsonSink{json.NewEncoder(out)}, func() error { return nil }, nil
}

type jsonSink struct{ out *json.Encoder }

func (s jsonSink) Answer(r rows.Row, a *classify.Answer, problem string) error {
	if a == nil {
		return s.out.Encode(BadRow{r.ID, r.URL, problem})
	}
	return s.out.Encode(Answer{r.ID, r.URL, *a})
}

// csvSink writes one line per row with two columns per category.
type csvSink struct {
	out   *csv.Writer
	names []string
}

func (s csvSink) header() error {
	h := []string{"id", "url", "title", "top", "source", "error"}
	for _, n := range s.names {
		h = append(h, n+"_score", n+"_tag")
	}
	return s.out.Write(h)
}

func (s csvSink) Answer(r rows.Row, a *classify.Answer, problem string) error {
	line := []string{sanitize.Cell(r.ID), sanitize.Cell(r.URL), sanitize.Cell(r.Title), "", "", sanitize.Cell(problem)}
	if a != nil {
		line[4] = a.Source
		if a.Top != nil {
			line[3] = sanitize.Cell(*a.Top)
		}
	}
	for _, n := range s.names {
		score, tag := "", ""
		if a != nil {
			if x, ok := a.Categories[n]; ok {
				score, tag = strconv.FormatFloat(x.Score, 'g', -1, 64), sanitize.Cell(x.Tag)
			}
		}
		line = append(line, score, tag)
	}
	return s.out.Write(line)
}

// parquetSink collects rows with their answers as labels.
type parquetSink struct {
	names []string
	rows  []rows.Row
}

func (s *parquetSink) Answer(r rows.Row, a *classify.Answer, _ string) error {
	r.Labels = make([]rows.Label, len(s.names))
	for i, n := range s.names {
		r.Labels[i].Abstain = true
		if a != nil {
			r.LabelSource = a.Source
			if x, ok := a.Categories[n]; ok {
				r.Labels[i] = rows.Label{Score: x.Score, Tag: x.Tag}
			}
		}
	}
	s.rows = append(s.rows, r)
	return nil
}
