package filecheck

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/table"
)

// Sizes of what a Sample reads: a file up to sampleWhole bytes as a whole, of a larger one
// its head and blocks all over it, the last at its end.
const (
	sampleWhole  = 1 << 20
	sampleHead   = 64 << 10
	sampleBlock  = 16 << 10
	sampleBlocks = 64
)

// Sample is what was seen of a file of rows without reading all of it.
type Sample struct {
	// Stats counts the rows that were looked at.
	Stats rows.Stats
	// Whole says that these are all rows of the file.
	Whole bool
	// Line is that of the first row of no use, from 1, and Problem what is wrong with it. A
	// line of 0 is not known.
	Line    int
	Problem string

	// visit is told each row that was read, and how to find its line; nil is told none.
	visit func(row *rows.Row, categories []string, line func() int)
}

// TooBad reports whether the file has certainly a larger share of rows of no use.
func (s *Sample) TooBad(share float64) bool {
	n, bad := float64(s.Stats.Read), float64(s.Stats.Bad())
	if s.Whole {
		return bad > share*n
	}
	// What a file of just that share gives almost never, and a block that begins within a
	// text in quotes does not give alone.
	return bad > share*n+3*math.Sqrt(n*share*(1-share))+3
}

// TakeSample looks at a file of that size. Its error is what Each would give; what only
// the rest of the file could show, it does not see.
func TakeSample(f io.ReaderAt, size int64, layout rows.Layout) (*Sample, error) {
	return takeSample(f, size, layout, nil)
}

func takeSample(f io.ReaderAt, size int64, layout rows.Layout, visit func(row *rows.Row, categories []string, line func() int)) (*Sample, error) {
	s := &Sample{Whole: size <= sampleWhole, visit: visit}
	if s.Whole || layout.Format == rows.Parquet {
		return s, s.stream(io.NewSectionReader(f, 0, size), layout)
	}
	head := make([]byte, sampleHead)
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	begin := bytes.TrimLeft(head[:16], " \t\r\n")
	if bytes.HasPrefix(head, []byte("\x1f\x8b")) || bytes.HasPrefix(begin, []byte("[")) || bytes.IndexByte(head[:64], 0) >= 0 {
		return s, s.stream(io.NewSectionReader(f, 0, size), layout) // no block can be read alone
	}
	end := bytes.LastIndexByte(head, '\n') + 1
	if end == 0 {
		return s, s.stream(io.NewSectionReader(f, 0, size), layout)
	}
	lines := bytes.Count(head[:end], []byte{'\n'})
	if err := s.add(head[:end], layout, 0, func() (int, error) { return 0, nil }); err != nil {
		return nil, err
	}
	first := head[:0]
	records := s.Stats.Read
	if layout.Format == rows.CSV && !layout.Dialect().Numbered {
		first = head[:bytes.IndexByte(head, '\n')+1]
		records++
	}
	if layout.Format == rows.CSV && lines > records+records/50 {
		return s, nil // texts go over line ends: a block may begin in the middle of one
	}
	return s, s.blocks(f, size, slices.Clone(first), layout)
}

// errSampled ends the reading of a stream.
var errSampled = errors.New("enough was seen")

// stream looks at the first rows of a file that is read from its begin, or all of them.
func (s *Sample) stream(r io.Reader, layout rows.Layout) error {
	limit := math.MaxInt
	if !s.Whole {
		limit = 2000
	}
	_, stats, err := rows.Each(r, layout, &rows.Budget{}, func(row *rows.Row, categories []string) error {
		s.show(row, categories, func() int { return row.Line })
		if s.note(row, 0); limit == 0 {
			return errSampled
		}
		limit--
		return nil
	})
	if errors.Is(err, errSampled) {
		err = nil
	}
	s.sum(stats)
	return err
}

// blocks looks at blocks all over the file. first is the file's header.
func (s *Sample) blocks(f io.ReaderAt, size int64, first []byte, layout rows.Layout) error {
	block := make([]byte, sampleBlock)
	step := (size - sampleBlock) / sampleBlocks
	for i := range int64(sampleBlocks) {
		at := step * (i + 1)
		if i == sampleBlocks-1 {
			at = size - sampleBlock
		}
		n, err := f.ReadAt(block, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		from, to := bytes.IndexByte(block[:n], '\n')+1, bytes.LastIndexByte(block[:n], '\n')+1
		if from == 0 || from >= to {
			continue // within a long line
		}
		headLines := bytes.Count(first, []byte{'\n'})
		err = s.add(slices.Concat(first, block[from:to]), layout, headLines, func() (int, error) { return countLines(f, at+int64(from)) })
		var unknown *rows.UnknownColumns
		if errors.As(err, &unknown) || errors.Is(err, table.ErrFormat) {
			continue // a block by itself says nothing of the whole
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// add looks at whole lines. before counts the lines of the file in front of them, of which
// headLines are among the lines.
func (s *Sample) add(lines []byte, layout rows.Layout, headLines int, before func() (int, error)) error {
	known := s.Problem != ""
	_, stats, err := rows.Each(bytes.NewReader(lines), layout, &rows.Budget{}, func(row *rows.Row, categories []string) error {
		s.show(row, categories, func() int {
			n, err := before()
			if err != nil || row.Line == 0 {
				return 0
			}
			return n + row.Line - headLines
		})
		s.note(row, -headLines)
		return nil
	})
	if err != nil {
		return err
	}
	s.sum(stats)
	if s.Problem != "" && !known {
		n, err := before()
		if err != nil {
			return err
		}
		s.Line += n
	}
	return nil
}

func (s *Sample) show(row *rows.Row, categories []string, line func() int) {
	if s.visit != nil && row.Problem == "" {
		s.visit(row, categories, line)
	}
}

// note keeps the first row of no use.
func (s *Sample) note(row *rows.Row, shift int) {
	if s.Problem == "" && row.Problem != "" {
		s.Problem = row.Problem
		if row.Line > 0 {
			s.Line = row.Line + shift
		}
	}
}

func (s *Sample) sum(stats rows.Stats) {
	encoding := s.Stats.Encoding
	s.Stats.Add(stats)
	if s.Stats.Encoding = stats.Encoding; encoding != "" && !strings.EqualFold(encoding, "utf-8") {
		s.Stats.Encoding = encoding
	}
}

// countLines counts the line ends before a place of a file.
func countLines(f io.ReaderAt, before int64) (n int, err error) {
	buf := make([]byte, 256<<10)
	for r := io.NewSectionReader(f, 0, before); ; {
		got, err := r.Read(buf)
		n += bytes.Count(buf[:got], []byte{'\n'})
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
