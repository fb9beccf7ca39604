package rows_test

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/table"
	"github.com/sprint-ml/sprint/storage/storagetest/fuzztest"
)

func fuzzRead(f *testing.F, format string, seeds ...[]byte) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var read *rows.Table
		var err error
		fuzztest.Bounded(t, func() {
			read, err = rows.ReadWithin(bytes.NewReader(data), rows.Layout{Format: format}, table.Limits{MaxLine: 1 << 12, MaxBytes: 4 << 30, Budget: &rows.Budget{}})
		})
		if err != nil {
			return
		}
		for _, r := range read.Rows {
			if r.Title == "" || !utf8.ValidString(r.Title) || r.Labels != nil && len(r.Labels) != len(read.Categories) {
				t.Fatalf("bad row %+v", r)
			}
		}
		if read.Stats.Read != len(read.Rows)+read.Stats.Bad() {
			t.Fatalf("%d rows of %+v", len(read.Rows), read.Stats)
		}
		var out bytes.Buffer
		if err := rows.WriteParquet(&out, read.Rows, read.Categories); err != nil {
			return // categories that collide with other columns
		}
		again, cats, err := rows.DecodeParquet(&out)
		if err != nil || len(again) != len(read.Rows) {
			t.Fatalf("%v: %d rows came back of %d", err, len(again), len(read.Rows))
		}
		if d := cmp.Diff(len(read.Categories), len(cats)); d != "" {
			t.Fatal(d)
		}
	})
}

func FuzzReadJSONL(f *testing.F) {
	fuzzRead(f, rows.JSONL, []byte(`{"title":"a","x_score":1,"x_tag":"t"}`+"\n{}\n"), []byte("\xff\n{\"title\":\"\\q\"}"))
}

func FuzzReadCSV(f *testing.F) {
	fuzzRead(f, rows.CSV, []byte("title,x_score,x_tag\na,1,t\n\"b\nc\",,\n"), []byte("title\n\"\n"))
}

func FuzzReadParquet(f *testing.F) {
	want, cats := sample()
	var b bytes.Buffer
	if err := rows.WriteParquet(&b, want, cats); err != nil {
		f.Fatal(err)
	}
	fuzzRead(f, rows.Parquet, b.Bytes(), []byte("PAR1PAR1"))
}
