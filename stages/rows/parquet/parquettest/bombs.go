package parquettest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// Bombs are files of a few megabytes at most, by name. A reader that believes what they
// say, or makes what they stand for, takes gigabytes or minutes.
func Bombs(t testing.TB) map[string][]byte {
	t.Helper()
	title := Column{Name: "title", Type: format.ByteArray, Codec: format.Zstd}
	optional := title
	optional.Optional = true
	one := func(c Column, rows int64, pages ...Page) []byte {
		return File{Columns: []Column{c}, Groups: []Group{{rows, [][]Page{pages}}}}.Bytes(t)
	}
	data := func(values int32, e format.Encoding, data []byte) Page {
		return Page{Values: values, Encoding: e, Data: data}
	}
	nothing := bytes.Repeat([]byte{0}, 64<<20)
	prefixes, err := DeltaByteArray(slices.Repeat([]string{strings.Repeat("a", 1<<20)}, 100)...)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{
		"a long text in a dictionary": one(title, 3_000_000, Dictionary(strings.Repeat("long ", 180_000)), data(3_000_000, format.RLEDictionary, append([]byte{1}, Run(3_000_000, 0)...))),
		// In rows that are few enough.
		"a long text in fewer rows": one(title, 200_000, Dictionary(strings.Repeat("long ", 180_000)), data(200_000, format.RLEDictionary, append([]byte{1}, Run(200_000, 0)...))),
		"nulls":                     one(optional, 20_000_000, Page{Values: 20_000_000, Levels: Run(20_000_000, 0)}),
		"texts that share a begin":  one(title, 100, data(100, format.DeltaByteArray, prefixes)),
		"a dictionary of nothing":   one(title, 1, Page{Kind: format.DictionaryPage, Values: 16 << 20, Data: nothing}, data(1, format.RLEDictionary, append([]byte{1}, Run(1, 0)...))),
		"levels without end":        one(optional, 2, Page{Values: 2, Levels: bytes.Repeat(Run(1<<31-1, 1), 1000), Data: Plain("a", "b")}),
		"indexes without end":       one(title, 2, Dictionary("a"), data(2, format.RLEDictionary, append([]byte{1}, bytes.Repeat(Run(1<<31-1, 0), 1000)...))),
		"differences without end":   one(title, 2, data(2, format.DeltaLengthByteArray, []byte{128, 1, 4, 255, 255, 255, 255, 7, 0})),
		"large pages at once":       manyPages(t, nothing),
		"many columns":              manyColumns(t, 20_000, 1),
		"many values":               manyColumns(t, 2_000, 60_000),
		"many row groups":           manyGroups(t, 50_000),
		"deep groups":               deepGroups(t, 200_000),
		"a list of nothing":         End([]byte("PAR1"), slices.Concat([]byte{0x29, 0xfc, 0x80, 0x80, 0x80, 0x01}, make([]byte, 2<<20))),
		"a deep footer":             End([]byte("PAR1"), bytes.Repeat([]byte{0x1c}, 2<<20)),
	}
	for name, codec := range map[string]format.CompressionCodec{"gzip": format.Gzip, "brotli": format.Brotli, "zstd": format.Zstd, "snappy": format.Snappy, "lz4": format.Lz4Raw} {
		c := title
		c.Codec = codec
		page := data(1, format.Plain, nothing[:32<<20])
		page.Says = 64
		out["a page that holds more than it says, "+name] = one(c, 1, page)
		page.Says, page.Packed = 0, append([]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, bytes.Repeat([]byte{0xff}, 100)...)
		page.Data = Plain("a")
		out["a page that cannot be decompressed, "+name] = one(c, 1, page)
	}
	return out
}

// manyPages has columns whose pages are large, all of one row.
func manyPages(t testing.TB, nothing []byte) []byte {
	t.Helper()
	packed, err := parquet.Zstd.Encode(nil, nothing)
	if err != nil {
		t.Fatal(err)
	}
	f := File{Groups: []Group{{Rows: 1}}}
	for i := range 40 {
		f.Columns = append(f.Columns, Column{Name: fmt.Sprintf("c%d_tag", i), Type: format.ByteArray, Codec: format.Zstd})
		f.Groups[0].Pages = append(f.Groups[0].Pages, []Page{{Values: 1, Packed: packed, Says: int32(len(nothing))}})
	}
	return f.Bytes(t)
}

// manyColumns has scores that are all the same.
func manyColumns(t testing.TB, columns int, rows int32) []byte {
	t.Helper()
	f := File{Groups: []Group{{Rows: int64(rows)}}}
	score := Page{Kind: format.DictionaryPage, Values: 1, Data: make([]byte, 8)}
	for i := range columns {
		f.Columns = append(f.Columns, Column{Name: fmt.Sprintf("c%d_score", i), Type: format.Double})
		f.Groups[0].Pages = append(f.Groups[0].Pages, []Page{score, {Values: rows, Encoding: format.RLEDictionary, Data: append([]byte{1}, Run(uint64(rows), 0)...)}})
	}
	return f.Bytes(t)
}

// manyGroups has a row in each.
func manyGroups(t testing.TB, groups int) []byte {
	t.Helper()
	f := File{Columns: []Column{{Name: "title", Type: format.ByteArray}}}
	for range groups {
		f.Groups = append(f.Groups, Group{1, [][]Page{{{Values: 1, Data: Plain("a")}}}})
	}
	return f.Bytes(t)
}

// deepGroups has a schema of one group in the other.
func deepGroups(t testing.TB, depth int) []byte {
	t.Helper()
	return File{Bend: func(m *format.FileMetaData) {
		m.Schema[0].NumChildren.Set(1)
		for range depth {
			e := format.SchemaElement{Name: "g"}
			e.NumChildren.Set(1)
			m.Schema = append(m.Schema, e)
		}
	}}.Bytes(t)
}
