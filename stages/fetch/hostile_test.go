package fetch_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go/format"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/fetch"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/parquet/parquettest"
	"github.com/sprint-ml/sprint/stages/stagetest"
	"github.com/sprint-ml/sprint/storage/storagetest/fuzztest"
)

// TestBombs: a file that stands for gigabytes fails the stage, by its name and with what
// to do, at the cost of a small file.
func TestBombs(t *testing.T) {
	bombs := parquettest.Bombs(t)
	titles := map[string]string{"a long text in a dictionary": "title", "a long text in fewer rows": "title", "nulls": "title", "many values": "c0_score", "large pages at once": "c0_tag"}
	for name, title := range titles {
		content := map[string]string{"bomb.parquet": string(bombs[name])}
		fuzztest.Bounded(t, func() {
			dir := stagetest.WriteFiles(t, content)
			o := &fetch.Options{Source: "files", MinRows: 1, Files: fetch.Files{Columns: map[string]string{"title": title}, MaxBadRows: 1, Paths: []string{filepath.Join(dir, "bomb.parquet")}}}
			r, err := stagetest.Try(t, stagetest.Case{Kind: fetch.Kind(), Options: o})
			if err != nil {
				t.Fatal(err)
			}
			var f *stages.Failure
			if !errors.As(r.Err, &f) || f.Code != stages.CodeStage || !strings.Contains(f.Hint, "several files") || !strings.Contains(f.Error(), "bomb.parquet: ") || !strings.Contains(f.Error(), "it decodes to too much") {
				t.Errorf("%s: %v", name, r.Err)
			}
		})
	}
}

// TestFilesShareABudget: many small files may not cost together what one may not.
func TestFilesShareABudget(t *testing.T) {
	content := map[string]string{}
	for i := range 5 { // of 11 MB each
		column := parquettest.Column{Name: "title", Type: format.ByteArray}
		long := parquettest.Column{Name: "description", Type: format.ByteArray, Codec: format.Zstd}
		group := parquettest.Group{Rows: 12, Pages: [][]parquettest.Page{
			{{Values: 12, Data: parquettest.Plain(slices.Repeat([]string{fmt.Sprint(i)}, 12)...)}},
			{parquettest.Dictionary(strings.Repeat("d", 900_000)), {Values: 12, Encoding: format.RLEDictionary, Data: append([]byte{1}, parquettest.Run(12, 0)...)}},
		}}
		content[fmt.Sprint(i, ".parquet")] = string(parquettest.File{Columns: []parquettest.Column{column, long}, Groups: []parquettest.Group{group}}.Bytes(t))
	}
	if r, err := files(t, 1, content, "0.parquet", "1.parquet"); err != nil || r.Err != nil {
		t.Errorf("two files: %v, %v", err, r.Err)
	}
	if r, err := files(t, 1, content, "?.parquet"); err != nil || !errors.Is(r.Err, rows.ErrBudget) {
		t.Errorf("five files: %v, %v", err, r.Err)
	}
}

// TestForeignFilesAreIsolated: whatever reading a file of others does, it does to a process
// of its own.
func TestForeignFilesAreIsolated(t *testing.T) {
	for source, want := range map[string]bool{"files": true, "gdelt": false} {
		if got := fetch.Kind().Isolated(&fetch.Options{Source: source}); got != want {
			t.Errorf("%s: %v", source, got)
		}
	}
}

// TestRowsWaitOnDisk: rows come out as they were read, with the labels of all files,
// though each file has others.
func TestRowsWaitOnDisk(t *testing.T) {
	long := strings.Repeat("å", 300_000)
	r, err := files(t, 1, map[string]string{
		"a.jsonl": `{"title":"one","url":"u1","description":"` + long + `","id":"7","seen_at":"20250101T000000Z","language":"sv","rules":"x:a;y:b","conflicts":"x","label_source":"rules","x_score":-0.5,"x_tag":"t"}` + "\n" +
			`{"title":"two","y_score":null,"y_tag":"kept"}` + "\n" + `{"title":"three"}` + "\n",
		"b.csv": "title,z_score,x_score\nfour,1,\n",
		"c.csv": "title,w_score\n",
	}, "a.jsonl", "b.csv", "c.csv")
	if err != nil || r.Err != nil {
		t.Fatal(err, r.Err)
	}
	got, categories, err := rows.DecodeParquet(bytes.NewReader(r.File(t, "articles")))
	if err != nil || strings.Join(categories, ",") != "x,y,z,w" || len(got) != 4 {
		t.Fatalf("%v, %v, %d rows", err, categories, len(got))
	}
	abstain := rows.Label{Abstain: true}
	for i, want := range []rows.Row{
		{Title: "one", URL: "u1", Description: long, ID: "7", SeenAt: "20250101T000000Z", Language: "sv", LabelSource: "rules", TitleRaw: "one", Rules: []string{"x:a", "y:b"}, Conflicts: []string{"x"},
			Labels: []rows.Label{{Score: -0.5, Tag: "t"}, abstain, abstain, abstain}},
		{Title: "two", TitleRaw: "two", Labels: []rows.Label{abstain, {Abstain: true, Tag: "kept"}, abstain, abstain}},
		{Title: "three", TitleRaw: "three", Labels: []rows.Label{abstain, abstain, abstain, abstain}},
		{Title: "four", TitleRaw: "four", Labels: []rows.Label{abstain, abstain, {Score: 1}, abstain}},
	} {
		if fmt.Sprintf("%+v", got[i]) != fmt.Sprintf("%+v", want) {
			t.Errorf("row %d: %.300v", i, got[i])
		}
	}
}
