// Package parquet reads and writes Parquet files of records without trusting what
// a file says of itself.
//
// reader.go and writer.go are the two directions. validate.go checks
// what the library would allocate for before it is read. Format:
// https://parquet.apache.org/docs/file-format/
package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"

	"github.com/sprint-ml/sprint/stages/rows/table"
)

// errVisit carries an error of a visitor past the recover of readFile.
type errVisit struct{ error }

// Read visits the rows of a stream of at most limit bytes, which it holds in memory,
// in order; header is told the names of its plain columns, others are ignored. A
// stream that is not of the format, or that would cost more memory than it has bytes
// to show for, gives an error that wraps table.ErrFormat; a longer one, one that
// wraps table.ErrTooLarge.
func Read(r io.Reader, limit int64, header func([]string), visit table.Visit) error {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return err
	}
	if int64(len(data)) > limit {
		return fmt.Errorf("%w: over %d bytes", table.ErrTooLarge, limit)
	}
	return readFile(data, header, visit)
}

// readFile visits the rows of a whole file.
//
// The library panics on some broken files; here that is a bad format like any
// other.
func readFile(data []byte, header func([]string), visit table.Visit) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: broken parquet file: %v", table.ErrFormat, p)
		}
		if v, ok := errors.AsType[errVisit](err); ok {
			err = v.error
		}
	}()
	// The library allocates whatever the footer's length says, which is the four
	// bytes before the last four.
	size := int64(len(data))
	if size < 12 {
		return fmt.Errorf("%w: not a parquet file: %d bytes", table.ErrFormat, size)
	}
	tail := data[size-8:]
	n := int64(binary.LittleEndian.Uint32(tail))
	if n > size-12 || string(tail[4:]) != "PAR1" {
		return fmt.Errorf("%w: not a parquet file: a footer of %d bytes and the mark %q in a file of %d", table.ErrFormat, n, tail[4:], size)
	}
	if err := checkMetadata(data[size-8-n : size-8]); err != nil {
		return fmt.Errorf("%w: broken parquet file: %w", table.ErrFormat, err)
	}
	r := bytes.NewReader(data)
	f, err := parquet.OpenFile(r, size, parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))
	if err != nil {
		return fmt.Errorf("%w: not a parquet file: %w", table.ErrFormat, err)
	}
	if err := checkPages(r, size, f.Metadata()); err != nil {
		return fmt.Errorf("%w: broken parquet file: %w", table.ErrFormat, err)
	}
	var names []string
	byIndex := map[int]string{}
	for _, path := range f.Schema().Columns() {
		if len(path) == 1 {
			leaf, _ := f.Schema().Lookup(path...)
			if !leaf.Node.Repeated() {
				names = append(names, path[0])
				byIndex[leaf.ColumnIndex] = path[0]
			}
		}
	}
	header(names)
	rec := table.Record{}
	buf := make([]parquet.Row, 128)
	for _, g := range f.RowGroups() {
		if err := groupRecords(g, buf, byIndex, rec, visit); err != nil {
			return err
		}
	}
	return nil
}

func groupRecords(g parquet.RowGroup, buf []parquet.Row, byIndex map[int]string, rec table.Record, visit table.Visit) error {
	in := g.Rows()
	defer in.Close()
	for {
		n, err := in.ReadRows(buf)
		for _, row := range buf[:n] {
			clear(rec)
			for _, v := range row {
				if name, ok := byIndex[v.Column()]; ok {
					rec[name] = cellOf(v)
				}
			}
			if err := visit(rec, ""); err != nil {
				return errVisit{err}
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: broken parquet file: %w", table.ErrFormat, err)
		}
		if n == 0 {
			return fmt.Errorf("%w: broken parquet file: a row group ends early", table.ErrFormat)
		}
	}
}

// cellOf copies a value: its bytes belong to a page that is reused.
func cellOf(v parquet.Value) table.Cell {
	if v.IsNull() {
		return table.Cell{}
	}
	switch v.Kind() {
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return table.Text(string(v.ByteArray()))
	case parquet.Double:
		return table.Number(v.Double())
	case parquet.Float:
		return table.Number(float64(v.Float()))
	case parquet.Int32:
		return table.Number(float64(v.Int32()))
	case parquet.Int64:
		return table.Number(float64(v.Int64()))
	case parquet.Boolean:
		if v.Boolean() {
			return table.Number(1)
		}
		return table.Number(0)
	}
	return table.Cell{}
}
