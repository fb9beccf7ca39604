package answers

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"slices"
	"strconv"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages/resources"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/table"
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

// A batch of rows is answered at once; its size bounds what is held of a long input.
const (
	batchRows  = 1024
	batchBytes = 8 << 20 // of texts
)

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
	// Rows counts those that were answered, Bad those among them that could not be
	// classified.
	Rows, Bad int

	sink  Sink
	batch []rows.Row
	bytes int
}

// Row takes a row. It answers when a batch is full.
func (w *Writer) Row(ctx context.Context, r *rows.Row) error {
	kept := *r
	kept.Labels = nil // they are reused
	w.batch = append(w.batch, kept)
	w.bytes += len(r.Title) + len(r.TitleRaw) + len(r.Description)
	if len(w.batch) < batchRows && w.bytes < batchBytes {
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
		if problem != "" {
			w.Bad++
			found = nil
		}
		if err = w.sink.Answer(r, found, problem); err != nil {
			return err
		}
	}
	clear(w.batch)
	w.batch, w.bytes = w.batch[:0], 0
	return nil
}

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

// Sink takes answers in order.
type Sink interface {
	// Answer takes the answer about a row, or nil and what is wrong with the row.
	Answer(r rows.Row, a *classify.Answer, problem string) error
}

// NewSink is a sink of a format: csv, parquet, or JSON lines for any other. The
// caller calls end after the last answer; out stays open. Tables have probabilities
// where a row has one label. csv has the other columns of the input, rows.Row.Others, behind
// the answers.
func NewSink(out io.Writer, format string, t *taxonomy.Taxonomy, others []string) (w Sink, end func() error, err error) {
	switch format {
	case rows.CSV:
		s := csvSink{csv.NewWriter(out), t.Names(), t.Single, others}
		return s, func() error { s.out.Flush(); return s.out.Error() }, s.header()
	case rows.Parquet:
		w, err := rows.NewWriter(out, rows.Schema{Categories: t.Names(), Probable: t.Single})
		if err != nil {
			return nil, nil, err
		}
		return &parquetSink{w, t.Names()}, w.Close, nil
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

// csvSink writes one line per row with two columns per category, three where answers
// have probabilities.
type csvSink struct {
	out      *csv.Writer
	names    []string
	probable bool
	others   []string // of the input
}

func (s csvSink) header() error {
	h := []string{"id", "url", "title", "top", "source", "error"}
	for _, n := range s.names {
		h = append(h, n+"_score", n+"_tag")
		if s.probable {
			h = append(h, n+"_probability")
		}
	}
	own := slices.Clone(h)
	for _, n := range s.others {
		for slices.Contains(own, n) {
			n = "input_" + n
		}
		h = append(h, table.Quote(n))
	}
	return s.out.Write(h)
}

func (s csvSink) Answer(r rows.Row, a *classify.Answer, problem string) error {
	line := []string{table.Quote(r.ID), table.Quote(r.URL), table.Quote(r.Title), "", "", table.Quote(problem)}
	if a != nil {
		line[4] = a.Source
		if a.Top != nil {
			line[3] = table.Quote(*a.Top)
		}
	}
	for _, n := range s.names {
		score, tag, probability := "", "", ""
		if a != nil {
			if x, ok := a.Categories[n]; ok {
				score, tag = strconv.FormatFloat(x.Score, 'g', -1, 64), table.Quote(x.Tag)
				if x.Probability != nil {
					probability = strconv.FormatFloat(*x.Probability, 'g', -1, 64)
				}
			}
		}
		line = append(line, score, tag)
		if s.probable {
			line = append(line, probability)
		}
	}
	for i := range s.others {
		cell := ""
		if i < len(r.Others) { // a record that could not be read has none
			cell = table.Quote(r.Others[i])
		}
		line = append(line, cell)
	}
	return s.out.Write(line)
}

// parquetSink writes rows with their answers as labels.
type parquetSink struct {
	out   *rows.Writer
	names []string
}

func (s *parquetSink) Answer(r rows.Row, a *classify.Answer, _ string) error {
	r.Labels = make([]rows.Label, len(s.names))
	probabilities := make([]*float64, len(s.names))
	for i, n := range s.names {
		r.Labels[i].Abstain = true
		if a != nil {
			r.LabelSource = a.Source
			if x, ok := a.Categories[n]; ok {
				r.Labels[i], probabilities[i] = rows.Label{Score: x.Score, Tag: x.Tag}, x.Probability
			}
		}
	}
	return s.out.WriteProbable(&r, probabilities)
}
