// Package parquet reads and writes Parquet files of records without trusting what
// a file says of itself.
//
// reader.go and writer.go are the two directions. A file is read by what is here and
// not by the library that writes: its pages come value by value, so that none costs
// more than what is read of it. thrift.go is the protocol of metadata, footer.go the
// schema and where columns lie, page.go the heads of pages and compression, column.go
// a column in its pages, values.go and delta.go the encodings of values. Columns that
// repeat or nest, and those of no use, are walked over. Format:
// https://parquet.apache.org/docs/file-format/
package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/sprint-ml/sprint/stages/rows/table"
)

// Read visits the rows of a stream of at most the limits' bytes in order; header is told
// the names of its plain columns, others are ignored. A stream that is not of the format
// gives an error that wraps table.ErrFormat; one that is longer, table.ErrTooLarge; one
// that decodes to more than its budget, table.ErrBudget.
//
// A stream that can be read at any place, as a file can, is read there; any other is
// held in memory.
func Read(r io.Reader, limits table.Limits, columns *table.Columns, header table.Header, visit table.Visit) error {
	if f, ok := r.(file); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return readFile(f, info.Size(), limits, columns, header, visit)
		}
	}
	mark := make([]byte, 4) // a stream without it may be endless
	if n, err := io.ReadFull(r, mark); string(mark) != "PAR1" {
		if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: %w", table.ErrFormat, noParquet(mark[:n]))
		}
		return err
	}
	data := bytes.NewBuffer(mark)
	for {
		n, err := io.CopyN(data, r, 1<<20)
		if err := limits.Budget.Hold(n); err != nil {
			return err
		}
		switch {
		case int64(data.Len()) > limits.MaxBytes:
			return fmt.Errorf("%w: over %d bytes", table.ErrTooLarge, limits.MaxBytes)
		case errors.Is(err, io.EOF):
			return readFile(bytes.NewReader(data.Bytes()), int64(data.Len()), limits, columns, header, visit)
		case err != nil:
			return err
		}
	}
}

// noParquet is the error of a file that begins so.
func noParquet(head []byte) error {
	if len(head) == 0 {
		return errors.New("it is no Parquet file: it is empty")
	}
	return fmt.Errorf("it is no Parquet file: it begins with %q", head)
}

// file is what an open file can do.
type file interface {
	io.ReaderAt
	Stat() (fs.FileInfo, error)
}

// reading is one pass over a file.
type reading struct {
	pages   pages
	columns []*column
	record  *table.Record
	visit   table.Visit
}

// readFile visits the rows of a whole file.
func readFile(in io.ReaderAt, size int64, limits table.Limits, columns *table.Columns, header table.Header, visit table.Visit) error {
	if size > limits.MaxBytes {
		return fmt.Errorf("%w: over %d bytes", table.ErrTooLarge, limits.MaxBytes)
	}
	limits.Budget.Read(size)
	footer, err := readFooter(in, size)
	if err != nil {
		return fmt.Errorf("%w: %w", table.ErrFormat, err)
	}
	leaves, err := readSchema(footer)
	if err != nil {
		return broken(err)
	}
	names := make([]string, len(leaves))
	for i, l := range leaves {
		names[i] = l.name
	}
	if err := header(names); err != nil {
		return err
	}
	r := &reading{pages: pages{in: in, budget: limits.Budget}, record: table.NewRecord(columns), visit: visit}
	defer r.pages.close()
	places, err := columns.Places(names)
	if err != nil {
		return err
	}
	used := leaves[:0]
	for i, l := range leaves {
		if places[i] >= 0 {
			used = append(used, l)
			r.columns = append(r.columns, &column{leaf: l, place: places[i], pages: &r.pages})
		}
	}
	// All row groups are looked at before any row is read.
	err = eachRowGroup(footer, used, size, func(number int, g group) error {
		if err := limits.Budget.Spend(table.CostRow * g.rows); err != nil {
			return fmt.Errorf("row group %d of %d rows: %w", number, g.rows, err)
		}
		return nil
	})
	if err == nil {
		err = eachRowGroup(footer, used, size, r.rowGroup)
	}
	if v, ok := errors.AsType[errVisit](err); ok {
		return v.error
	}
	return broken(err)
}

// errVisit marks an error of a visitor among those of the file.
type errVisit struct{ error }

// broken is the error of a file that is not what it says; too much is no such error.
func broken(err error) error {
	if err == nil || errors.Is(err, table.ErrBudget) {
		return err
	}
	return fmt.Errorf("%w: broken parquet file: %w", table.ErrFormat, err)
}

// rowGroup visits the rows of a row group.
func (r *reading) rowGroup(number int, g group) error {
	for i, c := range r.columns {
		c.reset(g.chunks[i])
	}
	for range g.rows {
		cost := int64(0)
		for _, c := range r.columns {
			cell, err := c.next()
			if err != nil {
				return fmt.Errorf("row group %d, column %s: %w", number, c.name, err)
			}
			r.record.Set(c.place, cell)
			cost += 1 + int64(cell.Len())
		}
		if err := r.pages.budget.Spend(cost); err != nil {
			return fmt.Errorf("row group %d: %w", number, err)
		}
		if err := r.visit(r.record, ""); err != nil {
			return errVisit{err}
		}
	}
	return nil
}
