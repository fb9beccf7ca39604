package rows_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/storage/storagetest/fuzztest"
)

// TestTextsWithinABudget: files of text that stand for far more than they hold are refused
// after work that their size allows.
func TestTextsWithinABudget(t *testing.T) {
	var categories strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&categories, `,"c%d_score":1`, i)
	}
	names := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for name, c := range map[string]struct{ format, text string }{
		"rows of few of many categories": {rows.JSONL, `{"title":"a"` + categories.String() + "}\n" + strings.Repeat(`{"title":"b","c1_score":1}`+"\n", 200_000)},
		"many columns":                   {rows.CSV, "title" + names(50_000, ",c%d_score") + "\n" + strings.Repeat("a"+strings.Repeat(",", 50_000)+"\n", 10)},
		"many names":                     {rows.JSONL, names(30_000, `{"title":"a","%d_score":1}`+"\n")},
	} {
		var budget rows.Budget
		var visited int64
		_, _, err := rows.Each(strings.NewReader(c.text), rows.Layout{Format: c.format}, &budget, func(*rows.Row, []string) error { visited++; return nil })
		if !errors.Is(err, rows.ErrBudget) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if budget.Spent() > budget.Limit() || visited > 20_000 {
			t.Errorf("%s: %d rows and %d decoded bytes of %d", name, visited, budget.Spent(), len(c.text))
		}
		var f *stages.Failure
		if err := rows.Unreadable(stages.CodeStage, "other", "x.csv", err); !errors.As(err, &f) || f.Code != stages.CodeStage || !strings.Contains(f.Hint, "several files") || !strings.HasPrefix(err.Error(), "x.csv: ") {
			t.Errorf("%s: the failure is %v", name, err)
		}
	}
}

// TestShortRows: millions of the shortest rows, which compress to nothing, are refused
// before they take the memory of the machine, whoever keeps them.
func TestShortRows(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	many := strings.Repeat(`{"title":"x"}`+"\n", 100_000)
	for range 6 {
		if _, err := z.Write([]byte(many)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]func() error{
		"gold":    func() error { _, err := rows.ReadGold(&packed, rows.Layout{Format: rows.JSONL}, nil); return err },
		"overlay": func() error { _, err := rows.ReadOverlay(&packed, rows.Layout{Format: rows.JSONL}, nil); return err },
		"rows":    func() error { _, err := rows.Read(&packed, rows.Layout{Format: rows.JSONL}); return err },
	} {
		whole := packed
		if err := read(); !errors.Is(err, rows.ErrBudget) || !strings.Contains(err.Error(), "rows of more than 1") {
			t.Errorf("%s: %v", name, err)
		}
		packed = whole
	}
}

// TestOpenQuote: a text in quotes may hold line ends, but not the rest of a large file.
func TestOpenQuote(t *testing.T) {
	line := strings.Repeat("x", 99) + "\n"
	whole := "title,id\n\"" + strings.Repeat(line, 1000) + "\",1\nb,2\n"
	got, err := rows.Read(strings.NewReader(whole), rows.Layout{Format: rows.CSV})
	if err != nil || len(got.Rows) != 2 || len(got.Rows[0].TitleRaw) != 100_000 {
		t.Errorf("a long text: %v", err)
	}
	fuzztest.Bounded(t, func() {
		endless := io.MultiReader(strings.NewReader("title,id\n\""), strings.NewReader(strings.Repeat(line, 1_000_000)))
		if _, err := rows.Read(endless, rows.Layout{Format: rows.CSV}); !errors.Is(err, rows.ErrFormat) || !strings.Contains(err.Error(), "quote") {
			t.Errorf("an open quote: %v", err)
		}
	})
}
