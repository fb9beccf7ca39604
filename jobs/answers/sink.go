package answers

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"io"
	"slices"
	"strconv"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/parquet"
	"github.com/sprint-ml/sprint/stages/rows/table"
)

// Sink takes answers in order.
type Sink interface {
	// Answer takes the answer about a row, or nil and what is wrong with the row.
	Answer(r rows.Row, a *classify.Answer, problem string) error
	// Whole reports whether all answers so far stand in the output once Flush was called,
	// so that whoever continues it goes on behind the last one.
	Whole() bool
	// Flush writes out what is held of whole answers.
	Flush() error
	// End writes what follows the last answer. The output stays open.
	End() error
}

// Shape is what a sink writes beside the answers themselves.
type Shape struct {
	// Format is csv, parquet, or JSON lines for any other.
	Format string
	// Taxonomy has the categories. Tables have probabilities where a row has one label.
	Taxonomy *taxonomy.Taxonomy
	// Others are the names of other columns of the input, rows.Row.Others, which csv has
	// behind the answers.
	Others []string
	// part is how many rows of a Parquet file stand in one row group; 0 is partRows.
	part int
}

// NewSink is the sink of a shape that begins an output.
func NewSink(out io.Writer, shape Shape) (Sink, error) {
	return newSink(out, shape, false, new(parquet.Join), nil)
}

// newSink is NewSink, and goes on with an output where it was begun. j is nil where nobody
// goes on with this one.
func newSink(out io.Writer, shape Shape, begun bool, parts *parquet.Join, j *journal) (Sink, error) {
	t := shape.Taxonomy
	switch shape.Format {
	case rows.CSV:
		s := csvSink{csv.NewWriter(out), t.Names(), t.Single, shape.Others}
		if begun {
			return s, nil
		}
		return s, s.header()
	case rows.Parquet:
		return newParquetSink(out, t, parts, cmp.Or(shape.part, partRows), j)
	}
	lines := bufio.NewWriterSize(out, 64<<10)
	return jsonSink{json.NewEncoder(lines), lines}, nil
}

type jsonSink struct {
	out   *json.Encoder
	lines *bufio.Writer
}

func (s jsonSink) Whole() bool  { return true }
func (s jsonSink) Flush() error { return s.lines.Flush() }
func (s jsonSink) End() error   { return s.lines.Flush() }

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

func (s csvSink) Whole() bool  { return true }
func (s csvSink) Flush() error { s.out.Flush(); return s.out.Error() }
func (s csvSink) End() error   { return s.Flush() }

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
