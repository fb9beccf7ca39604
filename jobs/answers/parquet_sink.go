package answers

import (
	"bytes"
	"io"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/parquet"
)

// partRows is how many rows of a Parquet file stand in one row group.
const partRows = 64 << 10

// parquetSink writes rows with their answers as labels, in parts that are held in memory.
// Its journal, where there is one, holds the rows of the part that is not written yet.
type parquetSink struct {
	out    io.Writer
	schema rows.Schema
	parts  *parquet.Join
	part   *rows.Writer // nil between two
	buffer bytes.Buffer // of the part
	rows   int          // of the part
	size   int          // rows of a whole part
	// journal is nil where nobody continues the file.
	journal *journal
	// Of the last row, reused.
	labels        []rows.Label
	probabilities []*float64
}

func newParquetSink(out io.Writer, t *taxonomy.Taxonomy, parts *parquet.Join, size int, j *journal) (*parquetSink, error) {
	s := &parquetSink{out: out, schema: rows.Schema{Categories: t.Names(), Probable: t.Single}, parts: parts, size: size, journal: j}
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
	if _, err = s.out.Write(body); err == nil && s.journal != nil {
		s.journal.begin()
	}
	return err
}

func (s *parquetSink) Whole() bool  { return s.rows == 0 || s.journal != nil }
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
	return s.write(&r, s.probabilities)
}

func (s *parquetSink) write(r *rows.Row, probabilities []*float64) error {
	if s.part == nil {
		if err := s.begin(); err != nil {
			return err
		}
	}
	if err := s.part.WriteProbable(r, probabilities); err != nil {
		return err
	}
	if s.journal != nil {
		if err := s.journal.add(r, probabilities); err != nil {
			return err
		}
	}
	if s.rows++; s.rows < s.size {
		return nil
	}
	return s.endPart()
}
