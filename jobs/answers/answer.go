package answers

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/stages/resources"
	"github.com/sprint-ml/sprint/stages/rows"
)

// BySource says who answered how many rows. model is the name of the model, which may be
// empty.
func (c Counts) BySource(model string) string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{c.Model, "by " + cmp.Or(model, "the model")}, {c.Keywords, "by keywords"}, {c.Bad, "without answer"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "none to answer")
}

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

// A batch of rows is answered at once: a model sorts its texts by length, and answers come
// in the order of the rows all the same. Its size bounds what is held of a long input.
const (
	batchRows     = 4096
	batchRowsLive = 1024    // where somebody reads the answers as they come
	batchBytes    = 8 << 20 // of texts
)

// Counts are of rows, from the first on.
type Counts struct {
	Rows     int `json:"rows"`     // that were answered
	Bad      int `json:"bad"`      // of them, those that could not be classified
	Model    int `json:"model"`    // answered by the model
	Keywords int `json:"keywords"` // answered by keywords
}

// Writer answers about rows in their order, batch by batch.
type Writer struct {
	Classifier *classify.Classifier
	All        bool // show categories below their threshold too
	// MinProbability is what an answer of a model of one label per row must have to count:
	// less is none.
	MinProbability float64
	// Open makes the sink when the first answer is there, so that an input that cannot be
	// read leaves nothing behind.
	Open func() (Sink, error)
	// Keep, where there is one, is told after each batch of which rows the answers are whole
	// in the sink.
	Keep func(Counts) error
	// Counts are of the rows that were answered, those of an earlier process among them.
	Counts

	sink  Sink
	whole Counts
	batch []rows.Row
	bytes int
}

// Row takes a row. It answers when a batch is full.
func (w *Writer) Row(ctx context.Context, r *rows.Row) error {
	kept := *r
	kept.Labels = nil // they are reused
	w.batch = append(w.batch, kept)
	w.bytes += len(r.Title) + len(r.TitleRaw) + len(r.Description)
	rows := batchRows
	if w.Keep == nil {
		rows = batchRowsLive
	}
	if len(w.batch) < rows && w.bytes < batchBytes {
		return nil
	}
	return w.Flush(ctx)
}

// Flush answers about the rows that wait; it is called once more after the last.
func (w *Writer) Flush(ctx context.Context) (err error) {
	if w.sink == nil {
		if w.sink, err = w.Open(); err != nil {
			return err
		}
	}
	if len(w.batch) == 0 {
		return nil
	}
	var texts []classify.Text
	for _, r := range w.batch {
		if r.Problem == "" {
			texts = append(texts, classify.Text{Title: r.Title, Description: r.Description, Language: r.Language})
		}
	}
	answers, err := w.Classifier.Classify(ctx, texts, w.All)
	if err != nil {
		return resources.Computed(err)
	}
	for _, r := range w.batch {
		problem, found := r.Problem, (*classify.Answer)(nil)
		if problem == "" {
			found, answers = &answers[0], answers[1:]
			problem = found.Problem
		}
		if found != nil && found.Top != nil {
			w.doubt(found)
		}
		w.Rows++
		switch {
		case problem != "":
			w.Bad++
			found = nil
		case found.Source == classify.SourceModel:
			w.Model++
		default:
			w.Keywords++
		}
		if err = w.sink.Answer(r, found, problem); err != nil {
			return err
		}
		if w.sink.Whole() {
			w.whole = w.Counts
		}
	}
	clear(w.batch)
	w.batch, w.bytes = w.batch[:0], 0
	if w.Keep == nil {
		return w.sink.Flush() // somebody reads along
	}
	return w.Keep(w.whole)
}

// End ends the sink, after the last Flush.
func (w *Writer) End() error { return w.sink.End() }

// Whole counts the rows of which the answers are whole in the sink.
func (w *Writer) Whole() Counts { return w.whole }

// doubt turns an answer that is not probable enough into none.
func (w *Writer) doubt(a *classify.Answer) {
	p := a.Categories[*a.Top].Probability
	if p == nil || *p >= w.MinProbability {
		return
	}
	if !w.All {
		delete(a.Categories, *a.Top)
	}
	a.Top = nil
}
