package fetch

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/sprint-ml/sprint/stages/rows"
)

// spool keeps rows in a file until all of their categories are known, which a table's
// columns stand for. The file is this process's own and goes with the attempt.
type spool struct {
	file *os.File
	out  *bufio.Writer
	row  []byte // reused
}

// mark is a label that says something: most of a row's labels abstain.
type mark struct {
	category int
	rows.Label
}

func newSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, "rows-*")
	if err != nil {
		return nil, fmt.Errorf("keep rows on disk: %w", err)
	}
	return &spool{file: f, out: bufio.NewWriterSize(f, 256<<10)}, nil
}

func (s *spool) close() {
	s.file.Close()
	_ = os.Remove(s.file.Name()) // the folder goes with the attempt
}

// fields are the texts of a row that are kept, in the order of the file.
func fields(r *rows.Row) []*string {
	return []*string{&r.Title, &r.Description, &r.URL, &r.Source, &r.ID, &r.TitleRaw, &r.SeenAt, &r.Language, &r.LabelSource, &r.Label}
}

// add writes a row: its texts, each after its length, and its marks.
func (s *spool) add(r *rows.Row, marks []mark) error {
	b := s.row[:0]
	text := func(t string) { b = append(binary.AppendUvarint(b, uint64(len(t))), t...) }
	for _, f := range fields(r) {
		text(*f)
	}
	text(strings.Join(r.Rules, ";"))
	text(strings.Join(r.Conflicts, ";"))
	b = binary.AppendUvarint(b, uint64(len(marks)))
	for _, m := range marks {
		b = binary.AppendUvarint(b, uint64(m.category))
		score := math.Float64bits(m.Score)
		if m.Abstain {
			score = math.Float64bits(math.NaN())
		}
		b = binary.LittleEndian.AppendUint64(b, score)
		text(m.Tag)
	}
	s.row = b
	_, err := s.out.Write(b)
	return err
}

// each reads the rows back, each with labels of so many categories. The row is reused.
func (s *spool) each(categories int, visit func(*rows.Row) error) error {
	if err := s.out.Flush(); err != nil {
		return err
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	in := bufio.NewReaderSize(s.file, 256<<10)
	labels := make([]rows.Label, categories)
	for {
		var r rows.Row
		err := readRow(in, &r, labels)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read rows back: %w", err)
		}
		r.Labels = labels
		if err := visit(&r); err != nil {
			return err
		}
	}
}

// readRow gives io.EOF where no row begins.
func readRow(in *bufio.Reader, r *rows.Row, labels []rows.Label) error {
	if _, err := in.Peek(1); err != nil {
		return err
	}
	var failed error
	number := func() uint64 {
		n, err := binary.ReadUvarint(in)
		failed = errors.Join(failed, err)
		return n
	}
	text := func() string {
		n := number()
		if failed != nil {
			return ""
		}
		b := make([]byte, n)
		_, failed = io.ReadFull(in, b)
		return string(b)
	}
	for _, f := range fields(r) {
		*f = text()
	}
	for _, list := range []*[]string{&r.Rules, &r.Conflicts} {
		if joined := text(); joined != "" {
			*list = []string{joined} // it is written joined
		}
	}
	for i := range labels {
		labels[i] = rows.Label{Abstain: true}
	}
	for n := number(); n > 0 && failed == nil; n-- {
		category := number()
		var score [8]byte
		if failed == nil {
			_, failed = io.ReadFull(in, score[:])
		}
		l := rows.Label{Score: math.Float64frombits(binary.LittleEndian.Uint64(score[:])), Tag: text()}
		if math.IsNaN(l.Score) {
			l.Score, l.Abstain = 0, true
		}
		if category >= uint64(len(labels)) {
			return errors.New("a label of no category")
		}
		labels[category] = l
	}
	if errors.Is(failed, io.EOF) {
		failed = io.ErrUnexpectedEOF // the end is where a row begins
	}
	return failed
}
