// Package records reads the records of any file of rows as they stand there, where it is not
// known yet which columns mean what. Package rows makes rows of them once it is.
package records

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/parquet"
	"github.com/sprint-ml/sprint/stages/rows/table"
	"github.com/sprint-ml/sprint/stages/rows/text"
)

// ErrNoHeader says that the first record of a csv file looks like a row.
var ErrNoHeader = errors.New("the first record is no header")

// Written says how a file turned out to be written.
type Written struct {
	// Encoding is that of a text, as package text calls it; empty for parquet.
	Encoding string
	// Delimiter parts the fields of csv; 0 for other formats.
	Delimiter byte
	// Twice are names that several columns of csv have, of which the last one's cells are
	// visited.
	Twice []string
	// Mended counts the records whose text is not in that encoding. Those of csv are
	// visited as they stand there, those of jsonl with U+FFFD in them.
	Mended int
}

// Visit is called for each record of a file, with the names of the file's columns and
// what stands in them, in their order there. Both are reused for the next record. problem
// says why a record cannot be read; cells mean nothing then. An error ends the reading.
type Visit func(names, cells []string, problem string) error

// Each visits the records of a file as they stand there, under the file's own names,
// where it is not known yet which columns are a row's. A csv file without a header is
// ErrNoHeader, unless the layout names columns by number.
func Each(r io.Reader, layout rows.Layout, budget *rows.Budget, visit Visit) (Written, error) {
	e := &reader{layout: layout, columns: table.NewColumns(nil), visit: visit}
	limits := table.Usual(budget)
	var err error
	switch layout.Format {
	case rows.Parquet:
		err = parquet.Read(r, limits, e.columns, func([]string) error { return nil }, e.record)
	case rows.JSONL, rows.CSV:
		var in *text.Reader
		if in, err = text.Open(r, layout.Encoding, budget); err != nil {
			return e.written, err
		}
		if layout.Format == rows.JSONL {
			err = table.JSONL(in, limits, e.columns, e.record)
		} else {
			err = table.CSV(io.TeeReader(in, &e.head), limits, layout.Dialect(), e.columns, e.header, e.record)
		}
		e.written.Encoding = in.Encoding()
	default:
		err = fmt.Errorf("%w: %q is none of jsonl, csv, parquet", rows.ErrFormat, layout.Format)
	}
	return e.written, err
}

// reader visits the records of a file.
type reader struct {
	layout       rows.Layout
	columns      *table.Columns
	head         head // of csv
	written      Written
	names, cells []string
	places       []int // of names
	visit        Visit
}

// head keeps the first bytes that are written.
type head struct{ bytes []byte }

func (h *head) Write(p []byte) (int, error) {
	if room := 64<<10 - len(h.bytes); room > 0 {
		h.bytes = append(h.bytes, p[:min(len(p), room)]...)
	}
	return len(p), nil
}

// mostNames is of how many columns each is compared with those before it.
const mostNames = 2_000

// header is told the names of a csv file's columns.
func (e *reader) header(names []string) error {
	d := e.layout.Dialect()
	if e.written.Delimiter = d.Delimiter; d.Delimiter == 0 {
		e.written.Delimiter = table.FindDelimiter(e.head.bytes, e.columns)
	}
	if !d.Numbered && table.Headless(names) {
		return ErrNoHeader
	}
	for i, n := range names[:min(len(names), mostNames)] {
		if slices.Contains(names[:i], n) && !slices.Contains(e.written.Twice, n) {
			e.written.Twice = append(e.written.Twice, n)
		}
	}
	return nil
}

func (e *reader) record(rec *table.Record, problem string) error {
	if len(e.names) == 0 || len(e.columns.Names()) > len(e.places) {
		e.names, e.places = e.names[:0], e.places[:0]
		for i, n := range e.columns.Names() {
			if e.places = append(e.places, i); n != table.MendedMark {
				e.names = append(e.names, n)
			}
		}
	}
	e.cells = slices.Grow(e.cells[:0], len(e.names))
	mended := false
	for _, i := range e.places {
		if e.columns.Names()[i] == table.MendedMark {
			mended = mended || rec.At(i).Present()
			continue
		}
		cell := rec.At(i).String()
		mended = mended || !utf8.ValidString(cell)
		e.cells = append(e.cells, cell)
	}
	if mended && problem == "" {
		e.written.Mended++
	}
	return e.visit(e.names, e.cells, problem)
}
