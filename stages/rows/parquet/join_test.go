package parquet_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	library "github.com/parquet-go/parquet-go"

	"github.com/sprint-ml/sprint/stages/rows/parquet"
	"github.com/sprint-ml/sprint/stages/rows/table"
)

// TestJoin: a file of three joined parts has their rows in order, for our reader and for
// the library's, also if it was kept and taken up again between two of them.
func TestJoin(t *testing.T) {
	var want []string
	part := func(n int) []byte {
		var out bytes.Buffer
		w := parquet.NewWriter(&out, []parquet.Column{{Name: "title"}, {Name: "score", Number: true}})
		for range n {
			title := fmt.Sprint("row ", len(want))
			want = append(want, title)
			w.Text(title)
			w.Number(float64(len(want)))
			if err := w.End(); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	var j parquet.Join
	var file []byte
	for _, n := range []int{300, 1, 40} {
		body, err := j.Add(part(n))
		if err != nil {
			t.Fatal(err)
		}
		file = append(file, body...)
		kept, err := j.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		j = parquet.Join{}
		if err := j.UnmarshalBinary(kept); err != nil {
			t.Fatal(err)
		}
	}
	footer, err := j.Footer()
	if err != nil {
		t.Fatal(err)
	}
	file = append(file, footer...)
	f, err := library.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if f.NumRows() != int64(len(want)) || len(f.RowGroups()) != 3 || j.Rows() != f.NumRows() {
		t.Errorf("%d rows in %d groups", f.NumRows(), len(f.RowGroups()))
	}
	var got []string
	for _, g := range f.RowGroups() {
		rows := make([]library.Row, g.NumRows())
		in := g.Rows()
		if n, _ := in.ReadRows(rows); int64(n) != g.NumRows() {
			t.Fatalf("%d of %d rows", n, g.NumRows())
		}
		for _, r := range rows {
			got = append(got, string(r[0].ByteArray()))
		}
		_ = in.Close()
	}
	if !slices.Equal(got, want) {
		t.Errorf("the library reads %d other rows", len(got))
	}
	got = nil
	if err := visitRows(file, &table.Budget{}, func(r *table.Record) error { got = append(got, r.At(0).String()); return nil }); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v: %d rows", err, len(got))
	}
	for _, broken := range [][]byte{nil, []byte("PAR1PAR1"), []byte("PAR1\xff\xff\xff\x7fPAR1"), []byte("PAR1xx\x02\x00\x00\x00PAR1")} {
		if _, err := new(parquet.Join).Add(broken); err == nil {
			t.Errorf("%q was joined", broken)
		}
	}
}
