package parquet

import (
	"bytes"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// TestCheckPages: headers that lie about their pages are refused before anything
// is read or allocated by what they say.
func TestCheckPages(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b, []Column{{Name: "title"}, {Name: "score", Number: true}})
	for _, title := range []string{"a storm", "a fire"} {
		w.Text(title)
		w.Number(1)
		if err := w.End(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, size := bytes.NewReader(b.Bytes()), int64(b.Len())
	open := func() *format.FileMetaData {
		f, err := parquet.OpenFile(r, size)
		if err != nil {
			t.Fatal(err)
		}
		return f.Metadata()
	}
	if err := checkPages(r, size, open()); err != nil {
		t.Errorf("a good file: %v", err)
	}
	for name, lie := range map[string]func(*format.FileMetaData){
		"shared bytes": func(m *format.FileMetaData) {
			for range 100 {
				m.RowGroups = append(m.RowGroups, m.RowGroups[0])
			}
		},
		"beyond the end": func(m *format.FileMetaData) { m.RowGroups[0].Columns[0].MetaData.TotalCompressedSize = size },
		"negative":       func(m *format.FileMetaData) { m.RowGroups[0].Columns[0].MetaData.TotalCompressedSize = -1 },
		"no header there": func(m *format.FileMetaData) {
			c := &m.RowGroups[0].Columns[0].MetaData
			c.DictionaryPageOffset, c.DataPageOffset, c.TotalCompressedSize = 0, size-8, 8
		},
	} {
		m := open()
		lie(m)
		if checkPages(r, size, m) == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
