package split_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/split"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

var words = strings.Fields("river copper lantern winter harbour signal meadow carbon violin desert engine parliament orchard glacier budget referee")

// labelled makes n rows in two categories; every 20th row is "rare", every
// third "common", and every tenth is a near-copy of the row before.
func labelled(n int) []rows.Row {
	var out []rows.Row
	for i := range n {
		j := i
		if i%10 == 9 {
			j = i - 1
		}
		title := fmt.Sprintf("%s %s near the %s with %s number %d%d", words[j%16], words[j/16%16], words[j*7%16], words[j*5%16], j*7919, j)
		if i%10 == 9 {
			title += " !"
		}
		out = append(out, rows.Row{Title: title, URL: fmt.Sprintf("http://x/%d", i), SeenAt: time.Date(2026, 1, 1, i, 0, 0, 0, time.UTC).Format("20060102T150405Z"),
			Labels: []rows.Label{{Score: b2f(i%20 == 0)}, {Score: b2f(i%3 == 0), Abstain: false}}})
	}
	return out
}

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func options() *split.Options {
	return &split.Options{Ratios: split.Ratios{Train: 0.7, Val: 0.15, Test: 0.15}, Seed: 7, Stratify: true, NearDups: true, Threshold: 0.7, Undated: "refuse"}
}

func run(t *testing.T, o *split.Options, in []rows.Row) *stagetest.Result {
	t.Helper()
	return runOf(t, o, in, "rare", "common")
}

// runOf is run of rows with these categories.
func runOf(t *testing.T, o *split.Options, in []rows.Row, categories ...string) *stagetest.Result {
	t.Helper()
	var b bytes.Buffer
	if err := rows.WriteParquet(&b, in, categories); err != nil {
		t.Fatal(err)
	}
	return stagetest.Run(t, stagetest.Case{Kind: split.Kind(), Options: o, Inputs: map[string]any{"labelled": b.Bytes()}})
}

func sides(t *testing.T, r *stagetest.Result) map[string][]rows.Row {
	t.Helper()
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	out := map[string][]rows.Row{}
	for _, name := range []string{"train", "val", "test"} {
		rs, _, err := rows.DecodeParquet(bytes.NewReader(r.File(t, name)))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = rs
	}
	return out
}
