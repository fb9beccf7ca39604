package parquet_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	library "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/format"

	"github.com/sprint-ml/sprint/stages/rows/parquet"
	"github.com/sprint-ml/sprint/stages/rows/parquet/parquettest"
	"github.com/sprint-ml/sprint/stages/rows/table"
)

// visitRows reads a file row by row.
func visitRows(data []byte, budget *table.Budget, visit func(*table.Record) error) error {
	limits := table.Limits{MaxBytes: 1 << 30, Budget: budget}
	return parquet.Read(bytes.NewReader(data), limits, table.NewColumns(nil), func([]string) error { return nil }, func(r *table.Record, _ string) error { return visit(r) })
}

// read returns the rows of a file as text.
func read(data []byte) (rows []string, err error) {
	err = visitRows(data, &table.Budget{}, func(r *table.Record) error {
		line := ""
		for i, name := range r.Names() {
			line += name + "=" + shown(r.At(i)) + " "
		}
		rows = append(rows, line)
		return nil
	})
	return rows, err
}

func shown(c table.Cell) string {
	if !c.Set() {
		return "null"
	}
	return c.String()
}

// columns are of each type, in one encoding of each. The library orders them by name.
func columns(text, fixed, number, float encoding.Encoding, wide bool) library.Group {
	n, f := library.Int32Type, library.FloatType
	if wide {
		n, f = library.Int64Type, library.DoubleType
	}
	as := func(t library.Type, e encoding.Encoding) library.Node { return library.Encoded(library.Leaf(t), e) }
	return library.Group{"a": as(library.ByteArrayType, text), "b": library.Leaf(library.BooleanType), "c": as(library.FixedLenByteArrayType(3), fixed), "d": as(n, number), "e": as(f, float)}
}

// TestReadsTheLibrary: what the library writes in each encoding, compression and kind of
// page is read as it was given.
func TestReadsTheLibrary(t *testing.T) {
	for name, group := range map[string]library.Group{
		"plain":      columns(&library.Plain, &library.Plain, &library.Plain, &library.Plain, false),
		"wide":       columns(&library.Plain, &library.Plain, &library.Plain, &library.Plain, true),
		"dictionary": columns(&library.RLEDictionary, &library.RLEDictionary, &library.RLEDictionary, &library.RLEDictionary, true),
		"delta":      columns(&library.DeltaByteArray, &library.DeltaByteArray, &library.DeltaBinaryPacked, &library.ByteStreamSplit, false),
		"lengths":    columns(&library.DeltaLengthByteArray, &library.Plain, &library.DeltaBinaryPacked, &library.ByteStreamSplit, true),
	} {
		for _, codec := range []format.CompressionCodec{format.Uncompressed, format.Snappy, format.Gzip, format.Brotli, format.Zstd, format.Lz4Raw} {
			for version := 1; version <= 2; version++ {
				for _, optional := range []bool{false, true} {
					data, want := written(t, group, codec, version, optional)
					got, err := read(data)
					if err != nil || !slices.Equal(got, want) {
						t.Fatalf("%s, %s, version %d, optional %v: %v; %d rows of %d\n%.300q, want\n%.300q", name, codec, version, optional, err, len(got), len(want), got, want)
					}
				}
			}
		}
	}
}

// written has 300 rows in row groups of 100 and pages of a few rows, and what reading
// them shows.
func written(t *testing.T, group library.Group, codec format.CompressionCodec, version int, optional bool) (data []byte, want []string) {
	t.Helper()
	all := library.Group{}
	for name, node := range group {
		if optional {
			node = library.Optional(node)
		}
		all[name] = library.Compressed(node, library.LookupCompressionCodec(codec))
	}
	var b bytes.Buffer
	w := library.NewWriter(&b, library.NewSchema("rows", all), library.MaxRowsPerRowGroup(100), library.PageBufferSize(256), library.DataPageVersion(version))
	level := 0
	if optional {
		level = 1
	}
	for i := range 300 {
		n := (i*7919 - 150) * (i % 5)
		row, line := library.Row{}, ""
		for c, v := range []library.Value{
			library.ByteArrayValue([]byte(strings.Repeat("text ", i%4) + fmt.Sprint(i%60))), library.BooleanValue(i%3 == 0), library.FixedLenByteArrayValue(fmt.Appendf(nil, "%03d", i%40)),
			library.Int32Value(int32(n)), library.FloatValue(float32(n) / 4),
		} {
			name := string(rune('a' + c))
			kind := group[name].Type().Kind()
			switch kind {
			case library.Int64:
				v = library.Int64Value(int64(n) << 30)
			case library.Double:
				v = library.DoubleValue(float64(n) / 4)
			}
			text := v.String()
			switch {
			case optional && (i+c)%4 == 0:
				v, text = library.NullValue().Level(0, 0, c), "null"
			default:
				v = v.Level(0, level, c)
				if kind == library.Boolean {
					text = map[string]string{"true": "1", "false": "0"}[text]
				}
			}
			row = append(row, v)
			if text != "null" && kind != library.ByteArray && kind != library.FixedLenByteArray && kind != library.Boolean {
				text = numberText(v)
			}
			line += name + "=" + text + " "
		}
		if _, err := w.WriteRows([]library.Row{row}); err != nil {
			t.Fatal(err)
		}
		want = append(want, line)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), want
}

func numberText(v library.Value) string {
	switch v.Kind() {
	case library.Int32:
		return table.Number(float64(v.Int32())).String()
	case library.Int64:
		return table.Number(float64(v.Int64())).String()
	case library.Float:
		return table.Number(float64(v.Float())).String()
	}
	return table.Number(v.Double()).String()
}

// TestBombs: a small file that stands for a huge one is refused, or read as far as it is
// wanted, at a cost in memory and in decoded bytes and rows that its size allows.
func TestBombs(t *testing.T) {
	for name, data := range parquettest.Bombs(t) {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var budget table.Budget
			rows := int64(0)
			err := visitRows(data, &budget, func(*table.Record) error { rows++; return nil })
			runtime.ReadMemStats(&after)
			if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > 256 {
				t.Errorf("%d MB were allocated", allocated)
			}
			if budget.Spent() > budget.Limit() || rows > budget.Limit()/table.CostRow {
				t.Errorf("%d rows and %d decoded bytes of a file of %d", rows, budget.Spent(), len(data))
			}
			without := strings.HasSuffix(name, "without end") || name == "many row groups" // which are read as far as they have rows
			if refused := errors.Is(err, table.ErrBudget) || errors.Is(err, table.ErrFormat); refused == without && name != "differences without end" {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// TestBudgetIsWhatAFileDeserves: real tables stay far below what their size allows.
func TestBudgetIsWhatAFileDeserves(t *testing.T) {
	data, _ := written(t, columns(&library.Plain, &library.Plain, &library.Plain, &library.Plain, true), format.Zstd, 1, false)
	var budget table.Budget
	if err := visitRows(data, &budget, func(*table.Record) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if spent, deserved := budget.Spent(), budget.Limit()-new(table.Budget).Limit(); spent*10 > deserved {
		t.Errorf("%d decoded bytes of a file that allows %d", spent, deserved)
	}
}

// TestLies: heads that lie about their pages are refused before anything is read or
// allocated by what they say.
func TestLies(t *testing.T) {
	title := parquettest.Column{Name: "title", Type: format.ByteArray}
	file := func(bend func(*format.FileMetaData), pages ...parquettest.Page) []byte {
		groups := []parquettest.Group{{Rows: 2, Pages: [][]parquettest.Page{pages}}}
		return parquettest.File{Columns: []parquettest.Column{title}, Groups: groups, Bend: bend}.Bytes(t)
	}
	good := parquettest.Page{Values: 2, Data: parquettest.Plain("a storm", "a fire")}
	if rows, err := read(file(nil, good)); err != nil || !slices.Equal(rows, []string{"title=a storm ", "title=a fire "}) {
		t.Fatalf("a good file: %v, %v", rows, err)
	}
	chunk := func(lie func(*format.ColumnMetaData)) []byte {
		return file(func(m *format.FileMetaData) { lie(&m.RowGroups[0].Columns[0].MetaData) }, good)
	}
	page := func(lie func(*parquettest.Page)) []byte {
		p := good
		lie(&p)
		return file(nil, p)
	}
	header := func(lie func(*format.PageHeader)) []byte {
		return page(func(p *parquettest.Page) { p.Bend = lie })
	}
	lz4 := title
	lz4.Codec = format.Lz4Raw
	for name, data := range map[string][]byte{
		"an lz4 page of nothing": parquettest.File{Columns: []parquettest.Column{lz4}, Groups: []parquettest.Group{{Rows: 2, Pages: [][]parquettest.Page{{
			{Values: 2, Data: good.Data, Bend: func(h *format.PageHeader) { h.UncompressedPageSize = 0 }},
		}}}}}.Bytes(t),
		"shared bytes": file(func(m *format.FileMetaData) {
			for range 100 {
				m.RowGroups = append(m.RowGroups, m.RowGroups[0])
			}
		}, good),
		"beyond the end":        chunk(func(c *format.ColumnMetaData) { c.TotalCompressedSize = 1 << 20 }),
		"negative size":         chunk(func(c *format.ColumnMetaData) { c.TotalCompressedSize = -1 }),
		"negative place":        chunk(func(c *format.ColumnMetaData) { c.DataPageOffset = -1 }),
		"no header there":       chunk(func(c *format.ColumnMetaData) { c.DataPageOffset, c.TotalCompressedSize = 0, 8 }),
		"unknown codec":         chunk(func(c *format.ColumnMetaData) { c.Codec = 99 }),
		"more rows than values": file(func(m *format.FileMetaData) { m.RowGroups[0].NumRows = 3 }, good),
		"negative rows":         file(func(m *format.FileMetaData) { m.RowGroups[0].NumRows = -1 }, good),
		"no columns":            file(func(m *format.FileMetaData) { m.RowGroups[0].Columns = nil }, good),
		"more children":         file(func(m *format.FileMetaData) { m.Schema[0].NumChildren.Set(0) }, good),
		"a longer page":         header(func(h *format.PageHeader) { h.CompressedPageSize = 1 << 20 }),
		"a negative page":       header(func(h *format.PageHeader) { h.CompressedPageSize = -1 }),
		"a huge page":           header(func(h *format.PageHeader) { h.UncompressedPageSize = 1<<31 - 1 }),
		"negative values":       header(func(h *format.PageHeader) { h.DataPageHeader.V.NumValues = -1 }),
		"unknown encoding":      page(func(p *parquettest.Page) { p.Encoding = 77 }),
		"no dictionary":         page(func(p *parquettest.Page) { p.Encoding, p.Data = format.RLEDictionary, []byte{1, 4, 0} }),
		"half a text":           page(func(p *parquettest.Page) { p.Data = p.Data[:len(p.Data)-1] }),
		"a long text":           page(func(p *parquettest.Page) { p.Data = []byte{255, 255, 255, 255, 1} }),
		"an index beyond":       file(nil, parquettest.Dictionary("a"), parquettest.Page{Values: 2, Encoding: format.RLEDictionary, Data: []byte{8, 4, 9}}),
		"a dictionary of more":  file(nil, parquettest.Page{Kind: format.DictionaryPage, Values: 1 << 30, Data: parquettest.Plain("a")}, good),
		"wide indexes":          file(nil, parquettest.Dictionary("a"), parquettest.Page{Values: 2, Encoding: format.RLEDictionary, Data: []byte{200, 4, 9}}),
	} {
		if rows, err := read(data); !errors.Is(err, table.ErrFormat) || len(rows) > 2 {
			t.Errorf("%s: %q, %v", name, rows, err)
		}
	}
}
