package parquet_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/format"

	"github.com/sprint-ml/sprint/stages/rows/parquet/parquettest"
	"github.com/sprint-ml/sprint/stages/rows/table"
	"github.com/sprint-ml/sprint/storage/storagetest/fuzztest"
)

// choices turns the bytes of a fuzzed input into decisions; when they are used up, all
// are 0.
type choices struct{ data []byte }

func (c *choices) below(n int) int {
	if len(c.data) == 0 {
		return 0
	}
	v := int(c.data[0])
	if c.data = c.data[1:]; n > 256 && len(c.data) > 0 {
		v = v<<8 | int(c.data[0])
		c.data = c.data[1:]
	}
	return v % n
}

// extreme is a number that a head may say: one near the truth, or far from it.
func (c *choices) extreme(truth int32) int32 {
	return []int32{truth + 1, truth - 1, 0, -1, 1<<31 - 1, -1 << 31, 1 << 20, truth * 2}[c.below(8)]
}

// page makes a page of n values of a type in an encoding, which fit each other.
func (c *choices) page(t *testing.T, col parquettest.Column, n int) parquettest.Page {
	p := parquettest.Page{Values: int32(n), Kind: []format.PageType{format.DataPage, format.DataPageV2}[c.below(2)]}
	here := n
	if col.Optional {
		level := byte(c.below(2))
		p.Levels = parquettest.Run(uint64(n), level)
		here *= int(level)
	}
	texts := make([]string, here)
	numbers := make([]int32, here)
	for i := range here {
		texts[i], numbers[i] = fmt.Sprint("text ", c.below(8)), int32(c.below(1<<16))-1<<15
	}
	var err error
	switch {
	case col.Type == format.ByteArray:
		switch c.below(3) {
		case 0:
			p.Data = parquettest.Plain(texts...)
		case 1:
			p.Encoding = format.DeltaByteArray
			p.Data, err = parquettest.DeltaByteArray(texts...)
		case 2:
			p.Encoding = format.RLEDictionary
			p.Data = append([]byte{8}, parquettest.Run(uint64(here), byte(c.below(4)))...)
		}
	case col.Type == format.Int32 && c.below(2) == 0:
		p.Encoding = format.DeltaBinaryPacked
		p.Data, err = new(delta.BinaryPackedEncoding).EncodeInt32(nil, numbers)
	case col.Type == format.Boolean:
		p.Data = make([]byte, here/8+1)
	default:
		widths := map[format.Type]int{format.Int32: 4, format.Float: 4, format.Int64: 8, format.Double: 8, format.Int96: 12, format.FixedLenByteArray: int(col.Length)}
		p.Data = make([]byte, here*widths[col.Type])
		if c.below(2) == 0 && col.Type != format.Int96 {
			p.Encoding = format.ByteStreamSplit
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// bendPage changes what a page says, or what it holds.
func (c *choices) bendPage(p *parquettest.Page) {
	switch c.below(9) {
	case 0:
		p.Bend = func(h *format.PageHeader) { h.CompressedPageSize = c.extreme(h.CompressedPageSize) }
	case 1:
		p.Says = c.extreme(int32(len(p.Data)))
	case 2:
		p.Values = c.extreme(p.Values)
	case 3:
		p.Encoding = format.Encoding(c.below(12))
	case 4:
		p.Kind = format.PageType(c.below(5))
	case 5:
		p.Levels = parquettest.Run(uint64(c.below(1<<16))<<20, byte(c.below(3)))
	case 6:
		p.Data = append(parquettest.Run(uint64(c.below(1<<16))<<16, byte(c.below(256))), p.Data...)
	case 7:
		p.Bend = func(h *format.PageHeader) {
			h.DataPageHeaderV2.V.DefinitionLevelsByteLength = c.extreme(0)
			h.DataPageHeaderV2.V.RepetitionLevelsByteLength = c.extreme(0)
			h.DataPageHeader.V.DefinitionLevelEncoding = format.Encoding(c.below(9))
		}
	case 8:
		for range 1 + c.below(4) {
			if len(p.Data) > 0 {
				p.Data[c.below(len(p.Data))] = byte(c.below(256))
			}
		}
	}
}

// bendMetadata changes what the footer says.
func (c *choices) bendMetadata(m *format.FileMetaData) {
	g := &m.RowGroups[c.below(len(m.RowGroups))]
	chunk := &g.Columns[c.below(len(g.Columns))].MetaData
	element := &m.Schema[c.below(len(m.Schema))]
	switch c.below(9) {
	case 0:
		g.NumRows = int64(c.extreme(int32(g.NumRows))) << (c.below(2) * 30)
	case 1:
		chunk.DataPageOffset = int64(c.extreme(int32(chunk.DataPageOffset)))
	case 2:
		chunk.DictionaryPageOffset = int64(c.extreme(4))
	case 3:
		chunk.TotalCompressedSize = int64(c.extreme(int32(chunk.TotalCompressedSize)))
	case 4:
		chunk.Codec = format.CompressionCodec(c.below(10))
	case 5:
		element.NumChildren.Set(c.extreme(1))
	case 6:
		element.Type.Set(format.Type(c.below(10)))
	case 7:
		element.TypeLength.Set(c.extreme(3))
	case 8:
		element.RepetitionType.Set(format.FieldRepetitionType(c.below(4)))
	}
}

// FuzzStructure reads files that a writer made of whole parts and that are then bent in
// some of them. Each is read, or refused as broken or as too much, at a small cost; one
// that nobody bent is read.
func FuzzStructure(f *testing.F) {
	for i := range 64 {
		seed := make([]byte, 200)
		for j := range seed {
			seed[j] = byte(i*j*j + 7*i + j)
		}
		f.Add(seed, i%3)
	}
	f.Fuzz(func(t *testing.T, data []byte, bends int) {
		c := &choices{data}
		var file parquettest.File
		for i := range 1 + c.below(4) {
			file.Columns = append(file.Columns, parquettest.Column{
				Name: fmt.Sprint("c", i), Optional: c.below(2) == 0, Length: int32(1 + c.below(5)),
				Type: format.Type(c.below(8)), Codec: []format.CompressionCodec{format.Uncompressed, format.Snappy, format.Gzip, format.Brotli, format.Zstd, format.Lz4Raw}[c.below(6)],
			})
		}
		rows := 0
		for range 1 + c.below(3) {
			n := c.below(40)
			rows += n
			g := parquettest.Group{Rows: int64(n)}
			for _, col := range file.Columns {
				var pages []parquettest.Page
				if col.Type == format.ByteArray {
					pages = append(pages, parquettest.Dictionary("a", "b", "c", "d"))
				}
				first := c.below(n + 1)
				g.Pages = append(g.Pages, append(pages, c.page(t, col, first), c.page(t, col, n-first)))
			}
			file.Groups = append(file.Groups, g)
		}
		bends = max(bends, 0) % 4
		for range bends {
			if g := file.Groups[c.below(len(file.Groups))]; c.below(2) == 0 {
				pages := g.Pages[c.below(len(g.Pages))]
				c.bendPage(&pages[c.below(len(pages))])
			} else {
				before := file.Bend
				file.Bend = func(m *format.FileMetaData) {
					if before != nil {
						before(m)
					}
					c.bendMetadata(m)
				}
			}
		}
		bytes := file.Bytes(t)
		var budget table.Budget
		var err error
		got := 0
		fuzztest.Bounded(t, func() {
			got = 0
			budget = table.Budget{}
			err = visitRows(bytes, &budget, func(*table.Record) error { got++; return nil })
		})
		switch {
		case bends == 0 && (err != nil || got != rows):
			t.Fatalf("%v: %d rows of %d", err, got, rows)
		case err != nil && !errors.Is(err, table.ErrFormat) && !errors.Is(err, table.ErrBudget):
			t.Fatal(err)
		case budget.Spent() > budget.Limit():
			t.Fatalf("%d of %d were spent", budget.Spent(), budget.Limit())
		}
	})
}
