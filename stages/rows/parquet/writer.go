package parquet

import (
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// Column is a column of a file that Writer writes.
type Column struct {
	Name string
	// Number says that the column holds doubles, or null; Integer that it holds whole
	// numbers of 64 bits. The others hold text.
	Number, Integer bool
}

// rowGroup is the most rows of one row group: DuckDB's and pyarrow's own size,
// and small enough to hold in memory while writing.
const rowGroup = 128 << 10

// ordered is a group whose columns keep the order they are listed in;
// parquet.Group sorts them by name.
type ordered struct {
	parquet.Group
	fields []parquet.Field
}

func (o ordered) Fields() []parquet.Field { return o.fields }

type field struct {
	parquet.Node
	name string
}

func (f field) Name() string { return f.name }

// Value is needed only to write Go structs, which we never do: rows are
// written as parquet values.
func (f field) Value(base reflect.Value) reflect.Value { return base.FieldByName(f.name) }

// schema keeps the order of the columns.
func schema(columns []Column) *parquet.Schema {
	o := ordered{Group: parquet.Group{}}
	for _, c := range columns {
		n := parquet.String()
		switch {
		case c.Number:
			n = parquet.Optional(parquet.Leaf(parquet.DoubleType))
		case c.Integer:
			n = parquet.Leaf(parquet.Int64Type)
		}
		n = parquet.Compressed(n, &parquet.Zstd)
		o.Group[c.Name] = n
		o.fields = append(o.fields, field{n, c.Name})
	}
	return parquet.NewSchema("rows", o)
}

// batch is how many rows are handed to the library at a time.
const batch = 256

// Writer writes a file row by row: one value per column in their order, then End.
// Equal rows give equal bytes.
type Writer struct {
	out     rowWriter
	columns int
	row     parquet.Row
	rows    []parquet.Row
}

// rowWriter is the library's writer of rows whose schema is made at run time.
type rowWriter interface {
	WriteRows([]parquet.Row) (int, error)
	Close() error
}

// NewWriter begins a file. The columns' names differ.
func NewWriter(w io.Writer, columns []Column) *Writer {
	return &Writer{
		out: parquet.NewWriter(w, schema(columns), parquet.MaxRowsPerRowGroup(rowGroup),
			parquet.CreatedBy("sprint", "1", "rows")),
		columns: len(columns),
		rows:    make([]parquet.Row, 0, batch),
	}
}

// Text adds texts. What is not valid UTF-8 is mended, because other readers refuse
// such files.
func (w *Writer) Text(texts ...string) {
	for _, s := range texts {
		s = strings.ToValidUTF8(s, "\uFFFD")
		w.row = append(w.row, parquet.ByteArrayValue([]byte(s)).Level(0, 0, len(w.row)))
	}
}

// Number adds a number to a column of numbers.
func (w *Writer) Number(f float64) {
	w.row = append(w.row, parquet.DoubleValue(f).Level(0, 1, len(w.row)))
}

// Integer adds a whole number to a column of such.
func (w *Writer) Integer(n int64) {
	w.row = append(w.row, parquet.Int64Value(n).Level(0, 0, len(w.row)))
}

// Null adds null to a column of numbers.
func (w *Writer) Null() {
	w.row = append(w.row, parquet.NullValue().Level(0, 0, len(w.row)))
}

// End ends a row.
func (w *Writer) End() error {
	w.rows = append(w.rows, w.row)
	w.row = make(parquet.Row, 0, w.columns)
	if len(w.rows) < batch {
		return nil
	}
	return w.flush()
}

func (w *Writer) flush() error {
	if len(w.rows) == 0 {
		return nil
	}
	if _, err := w.out.WriteRows(w.rows); err != nil {
		return fmt.Errorf("write parquet: %w", err)
	}
	w.rows = w.rows[:0]
	return nil
}

// Close ends the file; it does not close what it writes to.
func (w *Writer) Close() error {
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.out.Close(); err != nil {
		return fmt.Errorf("write parquet: %w", err)
	}
	return nil
}
