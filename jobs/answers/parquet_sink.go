package answers

import (
	"bytes"
	"io"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/parquet"
)

// partRows is how many rows of a Parquet file stand in one row group. Only whole groups
// are continued.
const partRows = 64 << 10

// parquetSink writes rows with their answers as labels, in parts that are held in memory.
type parquetSink struct {
	out    io.Writer
	schema rows.Schema
	parts  *parquet.Join
	part   *rows.Writer // nil between two
	buffer bytes.Buffer // of the part
	rows   int          // of the part
	size   int          // rows of a whole part
	// Of the last row, reused.
	labels        []rows.Label
	probabilities []*float64
}

func newParquetSink(out io.Writer, t *taxonomy.Taxonomy, parts *parquet.Join, size int) (Sink, error) {
	s := &parquetSink{out: out, schema: rows.Schema{Categories: t.Names(), Probable: t.Single}, parts: parts, size: size}
	s.labels, s.probabilities = make([]rows.Label, len(t.Categories)), make([]*float64, len(t.Categories))
	return s, s.begin() // refuses columns of one name
}

func (s *parquetSink) begin() (err error) {
	s.buffer.Reset()
	s.rows = 0
	s.part, err = rows.NewWriter(&s.buffer, s.schema)
	return err
}

// endPart writes the part out.
func (s *parquetSink) endPart() error {
	if err := s.part.Close(); err != nil {
		return err
	}
	body, err := s.parts.Add(s.buffer.Bytes())
	if err != nil {
		return err
	}
	s.part, s.rows = nil, 0
	_, err = s.out.Write(body)
	return err
}

func (s *parquetSink) Whole() bool  { return s.rows == 0 }
func (s *parquetSink) Flush() error { return nil }

// End writes the footer. A file without rows has one part, without rows.
func (s *parquetSink) End() error {
	if s.part != nil && (s.rows > 0 || s.parts.Rows() == 0) {
		if err := s.endPart(); err != nil {
			return err
		}
	}
	footer, err := s.parts.Footer()
	if err != nil {
		return err
	}
	_, err = s.out.Write(footer)
	return err
}

func (s *parquetSink) Answer(r rows.Row, a *classify.Answer, _ string) error {
	if s.part == nil {
		if err := s.begin(); err != nil {
			return err
		}
	}
	r.Labels = s.labels
	for i, n := range s.schema.Categories {
		r.Labels[i], s.probabilities[i] = rows.Label{Abstain: true}, nil
		if a != nil {
			r.LabelSource = a.Source
			if x, ok := a.Categories[n]; ok {
				r.Labels[i], s.probabilities[i] = rows.Label{Score: x.Score, Tag: x.Tag}, x.Probability
			}
		}
	}
	if err := s.part.WriteProbable(&r, s.probabilities); err != nil {
		return err
	}
	if s.rows++; s.rows < s.size {
		return nil
	}
	return s.endPart()
}
