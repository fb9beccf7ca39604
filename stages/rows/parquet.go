package rows

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/parquet-go/parquet-go"
)

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

// leadColumns and tailColumns stand before and after the labels. The first four
// and the labels are a contract with readers of older files.
var (
	leadColumns = []string{"title", "description", "url", "source"}
	tailColumns = []string{"id", "title_raw", "seen_at", "language", "label_source", "rules", "conflicts"}
)

func schema(categories []string) *parquet.Schema {
	o := ordered{Group: parquet.Group{}}
	add := func(name string, n parquet.Node) {
		n = parquet.Compressed(n, &parquet.Zstd)
		o.Group[name] = n
		o.fields = append(o.fields, field{n, name})
	}
	for _, c := range leadColumns {
		add(c, parquet.String())
	}
	for _, c := range categories {
		add(c+"_score", parquet.Optional(parquet.Leaf(parquet.DoubleType)))
		add(c+"_tag", parquet.String())
	}
	for _, c := range tailColumns {
		add(c, parquet.String())
	}
	return parquet.NewSchema("rows", o)
}

// WriteParquet writes rows with the columns title, description, url, source
// (UTF-8), then per category <category>_score (double, null where the labeller
// abstained) and <category>_tag (UTF-8, empty for none), then id, title_raw,
// seen_at, language, label_source, rules and conflicts (joined by ";"). Equal rows give
// equal bytes. Text must be valid UTF-8; what is not is mended here, because
// other readers refuse such files.
func WriteParquet(w io.Writer, rows []Row, categories []string) error {
	if err := checkCategories(categories); err != nil {
		return err
	}
	out := parquet.NewWriter(w, schema(categories), parquet.MaxRowsPerRowGroup(rowGroup),
		parquet.CreatedBy("sprint", "1", "rows"))
	const batch = 256
	buf := make([]parquet.Row, 0, batch)
	for i := range rows {
		r := &rows[i]
		if r.Labels != nil && len(r.Labels) != len(categories) {
			return fmt.Errorf("row %d has %d labels, the table has %d categories", i, len(r.Labels), len(categories))
		}
		values := make(parquet.Row, 0, len(leadColumns)+2*len(categories)+len(tailColumns))
		put := func(s string) {
			s = strings.ToValidUTF8(s, "\uFFFD")
			values = append(values, parquet.ByteArrayValue([]byte(s)).Level(0, 0, len(values)))
		}
		put(r.Title)
		put(r.Description)
		put(r.URL)
		put(r.Source)
		for c := range categories {
			l := Label{Abstain: true}
			if r.Labels != nil {
				l = r.Labels[c]
			}
			if l.Abstain {
				values = append(values, parquet.NullValue().Level(0, 0, len(values)))
			} else {
				values = append(values, parquet.DoubleValue(l.Score).Level(0, 1, len(values)))
			}
			put(l.Tag)
		}
		for _, s := range []string{r.ID, r.TitleRaw, r.SeenAt, r.Language, r.LabelSource, strings.Join(r.Rules, ";"), strings.Join(r.Conflicts, ";")} {
			put(s)
		}
		if buf = append(buf, values); len(buf) == batch || i == len(rows)-1 {
			if _, err := out.WriteRows(buf); err != nil {
				return fmt.Errorf("write parquet: %w", err)
			}
			buf = buf[:0]
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("write parquet: %w", err)
	}
	return nil
}

func checkCategories(categories []string) error {
	seen := map[string]bool{}
	for _, c := range append(append([]string{}, leadColumns...), tailColumns...) {
		seen[c] = true
	}
	for _, c := range categories {
		for _, n := range []string{c + "_score", c + "_tag"} {
			if c == "" || seen[n] {
				return fmt.Errorf("category %q gives the column %s twice", c, n)
			}
			seen[n] = true
		}
	}
	return nil
}

// ReadParquet reads a file that WriteParquet wrote, or any parquet file with a
// title column; columns it does not know are ignored. A broken file gives an
// error that wraps ErrFormat.
func ReadParquet(r io.ReaderAt, size int64) (rows []Row, categories []string, err error) {
	o := (*Options)(nil).filled()
	b := newBuilder(o)
	err = parquetRecords(r, size, b.declareColumns, func(rec record, problem string) error {
		if row := b.row(rec); row.Problem == "" {
			rows = append(rows, row)
		}
		return nil
	})
	return rows, b.cats, err
}

// DecodeParquet is ReadParquet for a stream, which it holds in memory: what a
// stage does with its inputs.
func DecodeParquet(r io.Reader) (rows []Row, categories []string, err error) {
	data, err := readCapped(r, (*Options)(nil).filled().MaxBytes)
	if err != nil {
		return nil, nil, err
	}
	return ReadParquet(bytes.NewReader(data), int64(len(data)))
}

func readCapped(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%w: over %d bytes", ErrTooLarge, limit)
	}
	return data, err
}

func eachParquet(r io.Reader, o Options, header func([]string), visit func(record, string) error) error {
	data, err := readCapped(r, o.MaxBytes)
	if err != nil {
		return err
	}
	return parquetRecords(bytes.NewReader(data), int64(len(data)), header, visit)
}

// errVisit carries an error of a visitor past the recover of parquetRecords.
type errVisit struct{ error }

// parquetRecords walks a file's rows. The library panics on some broken files;
// here that is a bad format like any other.
func parquetRecords(r io.ReaderAt, size int64, header func([]string), visit func(record, string) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: broken parquet file: %v", ErrFormat, p)
		}
		var v errVisit
		if errors.As(err, &v) {
			err = v.error
		}
	}()
	// The library allocates whatever the footer's length says, which is the four
	// bytes before the last four.
	tail := make([]byte, 8)
	if size < 12 {
		return fmt.Errorf("%w: not a parquet file: %d bytes", ErrFormat, size)
	} else if _, err := r.ReadAt(tail, size-8); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	n := int64(binary.LittleEndian.Uint32(tail))
	if n > size-12 || string(tail[4:]) != "PAR1" {
		return fmt.Errorf("%w: not a parquet file: a footer of %d bytes and the mark %q in a file of %d", ErrFormat, n, tail[4:], size)
	}
	footer := make([]byte, n)
	if _, err := r.ReadAt(footer, size-8-n); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := checkFooter(footer); err != nil {
		return fmt.Errorf("%w: broken parquet file: %w", ErrFormat, err)
	}
	f, err := parquet.OpenFile(r, size, parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))
	if err != nil {
		return fmt.Errorf("%w: not a parquet file: %w", ErrFormat, err)
	}
	if err := checkPages(r, size, f.Metadata()); err != nil {
		return fmt.Errorf("%w: broken parquet file: %w", ErrFormat, err)
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
	rec := record{}
	buf := make([]parquet.Row, 128)
	for _, g := range f.RowGroups() {
		if err := groupRecords(g, buf, byIndex, rec, visit); err != nil {
			return err
		}
	}
	return nil
}

func groupRecords(g parquet.RowGroup, buf []parquet.Row, byIndex map[int]string, rec record, visit func(record, string) error) error {
	in := g.Rows()
	defer in.Close()
	for {
		n, err := in.ReadRows(buf)
		for _, row := range buf[:n] {
			clear(rec)
			for _, v := range row {
				if name, ok := byIndex[v.Column()]; ok {
					rec[name] = parquetCell(v)
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
			return fmt.Errorf("%w: broken parquet file: %w", ErrFormat, err)
		}
		if n == 0 {
			return fmt.Errorf("%w: broken parquet file: a row group ends early", ErrFormat)
		}
	}
}

// parquetCell copies a value: its bytes belong to a page that is reused.
func parquetCell(v parquet.Value) cell {
	if v.IsNull() {
		return cell{}
	}
	switch v.Kind() {
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return text(string(v.ByteArray()))
	case parquet.Double:
		return number(v.Double())
	case parquet.Float:
		return number(float64(v.Float()))
	case parquet.Int32:
		return number(float64(v.Int32()))
	case parquet.Int64:
		return number(float64(v.Int64()))
	case parquet.Boolean:
		if v.Boolean() {
			return number(1)
		}
		return number(0)
	}
	return cell{}
}
