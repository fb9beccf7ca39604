// Package parquettest writes Parquet files page by page, with heads that say what a
// test wants them to say: write.go is the writer, bombs.go has small files that cost a
// careless reader gigabytes or minutes.
package parquettest

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// File is a file as it is written: each row group has a chunk of each column.
type File struct {
	Columns []Column
	Groups  []Group
	// Bend, if not nil, changes the metadata before it is written.
	Bend func(*format.FileMetaData)
}

// Column is a column at the top of the schema.
type Column struct {
	Name     string
	Type     format.Type
	Length   int32 // of fixed bytes
	Optional bool
	Codec    format.CompressionCodec
}

// Group is a row group: the pages of each column.
type Group struct {
	Rows  int64
	Pages [][]Page
}

// Page is a page and what its head says of it.
type Page struct {
	Kind     format.PageType
	Values   int32
	Encoding format.Encoding
	Levels   []byte // definition levels in their encoding; nil has none
	Data     []byte // before compression
	Packed   []byte // instead of Data compressed
	Says     int32  // size without compression, if it is not that of Data
	Bend     func(*format.PageHeader)
}

// Dictionary is the page of a dictionary of texts.
func Dictionary(texts ...string) Page {
	return Page{Kind: format.DictionaryPage, Values: int32(len(texts)), Encoding: format.Plain, Data: Plain(texts...)}
}

// Plain are texts, each after its length.
func Plain(texts ...string) []byte {
	var b []byte
	for _, t := range texts {
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(t))), t...)
	}
	return b
}

// Run is a value that is repeated, in the hybrid of levels and indexes.
func Run(count uint64, value ...byte) []byte {
	return append(binary.AppendUvarint(nil, count<<1), value...)
}

// DeltaByteArray encodes texts as DELTA_BYTE_ARRAY does.
func DeltaByteArray(texts ...string) ([]byte, error) {
	offsets := []uint32{0}
	var all []byte
	for _, t := range texts {
		all = append(all, t...)
		offsets = append(offsets, uint32(len(all)))
	}
	return new(delta.ByteArrayEncoding).EncodeByteArray(nil, all, offsets)
}

// Bytes writes the file.
func (f File) Bytes(t testing.TB) []byte {
	t.Helper()
	out := []byte("PAR1")
	m := format.FileMetaData{Version: 1, Schema: []format.SchemaElement{{Name: "root", NumChildren: thrift.New(int32(len(f.Columns)))}}}
	for _, c := range f.Columns {
		e := format.SchemaElement{Name: c.Name, Type: thrift.New(c.Type), RepetitionType: thrift.New(format.Required)}
		if c.Optional {
			e.RepetitionType = thrift.New(format.Optional)
		}
		if c.Type == format.FixedLenByteArray {
			e.TypeLength = thrift.New(c.Length)
		}
		m.Schema = append(m.Schema, e)
	}
	for _, g := range f.Groups {
		group := format.RowGroup{NumRows: g.Rows}
		m.NumRows += g.Rows
		for i, c := range f.Columns {
			chunk := format.ColumnMetaData{Type: c.Type, PathInSchema: []string{c.Name}, Codec: c.Codec, NumValues: g.Rows, DataPageOffset: int64(len(out))}
			for _, p := range g.Pages[i] {
				out = p.appendTo(t, out, c.Codec)
			}
			chunk.TotalCompressedSize = int64(len(out)) - chunk.DataPageOffset
			group.Columns = append(group.Columns, format.ColumnChunk{MetaData: chunk})
		}
		m.RowGroups = append(m.RowGroups, group)
	}
	if f.Bend != nil {
		f.Bend(&m)
	}
	return End(out, marshal(t, &m))
}

// End puts a footer and the file's end after what there is.
func End(out, footer []byte) []byte {
	out = append(slices.Clip(out), footer...)
	return append(binary.LittleEndian.AppendUint32(out, uint32(len(footer))), "PAR1"...)
}

func (p Page) appendTo(t testing.TB, out []byte, codec format.CompressionCodec) []byte {
	t.Helper()
	levels, data := p.Levels, p.Data
	if levels != nil && p.Kind == format.DataPage {
		data = slices.Concat(binary.LittleEndian.AppendUint32(nil, uint32(len(levels))), levels, data)
		levels = nil
	}
	packed := p.Packed
	if packed == nil {
		packed = data
		if codec != format.Uncompressed {
			var err error
			if packed, err = parquet.LookupCompressionCodec(codec).Encode(nil, data); err != nil {
				t.Fatal(err)
			}
		}
	}
	h := format.PageHeader{Type: p.Kind, UncompressedPageSize: int32(len(levels) + len(data)), CompressedPageSize: int32(len(levels) + len(packed))}
	if p.Says != 0 {
		h.UncompressedPageSize = p.Says
	}
	switch p.Kind {
	case format.DictionaryPage:
		h.DictionaryPageHeader = thrift.New(format.DictionaryPageHeader{NumValues: p.Values, Encoding: p.Encoding})
	case format.DataPageV2:
		h.DataPageHeaderV2 = thrift.New(format.DataPageHeaderV2{NumValues: p.Values, NumRows: p.Values, Encoding: p.Encoding, DefinitionLevelsByteLength: int32(len(levels))})
	default:
		h.DataPageHeader = thrift.New(format.DataPageHeader{NumValues: p.Values, Encoding: p.Encoding, DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE})
	}
	if p.Bend != nil {
		p.Bend(&h)
	}
	return append(append(append(out, marshal(t, &h)...), levels...), packed...)
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := thrift.Marshal(new(thrift.CompactProtocol), v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
