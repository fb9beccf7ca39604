package answers

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

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
	// A model may take a second for a hundred rows or for ten thousand: the first batch is
	// small, and the next is twice as large while one takes less than batchTime. What a
	// killed process has answered, and how far it is, is told within some seconds then.
	batchRowsFirst = 256
	batchTime      = time.Second
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
	// FirstBad says which row was the first that this process could not classify, and why.
	FirstBad string

	sink  Sink
	whole Counts
	batch []rows.Row
	bytes int
	most  int // rows of the next batch; 0 is not known
}

// Row takes a row. It answers when a batch is full.
func (w *Writer) Row(ctx context.Context, r *rows.Row) error {
	kept := *r
	kept.Labels = nil // they are reused
	w.batch = append(w.batch, kept)
	w.bytes += len(r.Title) + len(r.TitleRaw) + len(r.Description)
	if len(w.batch) < w.batchSize() && w.bytes < batchBytes {
		return nil
	}
	begun := time.Now()
	err := w.Flush(ctx)
	if time.Since(begun) < batchTime {
		w.most = min(2*w.batchSize(), w.limit())
	}
	return err
}

// limit is the most rows of a batch.
func (w *Writer) limit() int {
	if w.Keep == nil {
		return batchRowsLive
	}
	return batchRows
}

// batchSize is how many rows the next batch has: the most where keywords answer, which take
// no time.
func (w *Writer) batchSize() int {
	switch {
	case w.most > 0:
		return w.most
	case w.Classifier.Model != nil:
		return batchRowsFirst
	}
	return w.limit()
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
			w.FirstBad = cmp.Or(w.FirstBad, fmt.Sprintf("row %d: %s", w.Rows, problem))
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
