package split_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/split"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

func TestSplit(t *testing.T) {
	r := run(t, options(), labelled(1000))
	got := sides(t, r)
	for name, want := range map[string]int{"train": 700, "val": 150, "test": 150} {
		if n := len(got[name]); n < want-3 || n > want+3 {
			t.Errorf("%s has %d rows, want about %d", name, n, want)
		}
		rare := 0
		for _, r := range got[name] {
			rare += int(r.Labels[0].Score)
		}
		if wantRare := want / 20; rare < wantRare-1 || rare > wantRare+1 {
			t.Errorf("%s has %d rare rows, want about %d", name, rare, wantRare)
		}
	}
	where := map[string]string{}
	for name, rs := range got {
		for _, r := range rs {
			key := strings.TrimSuffix(r.Title, "!")
			if other, ok := where[key]; ok && other != name {
				t.Fatalf("%q is in %s and %s", key, other, name)
			}
			where[key] = name
		}
	}
	again := run(t, options(), labelled(1000))
	if again.Outputs["train"].Digest != r.Outputs["train"].Digest {
		t.Error("the same seed gives another split")
	}
	o := options()
	o.Seed = 8
	if run(t, o, labelled(1000)).Outputs["train"].Digest == r.Outputs["train"].Digest {
		t.Error("another seed gives the same split")
	}
}

func TestByTime(t *testing.T) {
	o := options()
	o.ByTime = true
	got := sides(t, run(t, o, labelled(100)))
	if got["train"][len(got["train"])-1].SeenAt >= got["test"][0].SeenAt {
		t.Error("a training row is newer than a test row")
	}
	o.Cuts = split.Cuts{Val: "2026-01-02", Test: "2026-01-04T06:00:00Z"}
	if p := o.Check(); len(p) != 0 {
		t.Error(p)
	}
	got = sides(t, run(t, o, labelled(100)))
	// Row 28 begins the day at 24; its story's other row is the 29th.
	if len(got["train"]) != 24 || len(got["val"]) != 54 || len(got["test"]) != 22 {
		t.Errorf("%d, %d and %d rows", len(got["train"]), len(got["val"]), len(got["test"]))
	}
	o.Cuts.Val = "yesterday"
	if p := o.Check(); len(p) != 1 || p[0].Path != "cuts" {
		t.Errorf("a cut that is no time: %v", p)
	}
	o.Cuts.Val, o.ByTime = "2026-01-02", false
	if p := o.Check(); len(p) != 1 || p[0].Path != "cuts" {
		t.Errorf("cuts without by_time: %v", p)
	}
}

// TestUndated: what becomes of rows without a time is the plan's to say.
func TestUndated(t *testing.T) {
	in := labelled(100)
	in[3].SeenAt, in[50].SeenAt = "", "last week"
	o := options()
	o.ByTime, o.Undated = true, "refuse"
	if err := run(t, o, in).Err; err == nil || !strings.Contains(err.Error(), "2 rows have no time") || !strings.Contains(err.Error(), "last week") {
		t.Errorf("refuse: %v", err)
	}
	for undated, want := range map[string]int{"train": 100, "drop": 98} {
		o.Undated = undated
		r := run(t, o, in)
		n := 0
		for name, rs := range sides(t, r) {
			for _, row := range rs {
				if n++; row.URL == in[50].URL && (name != "train" || undated == "drop") {
					t.Errorf("%s: the undated row is in %s", undated, name)
				}
			}
		}
		if got := report(t, r); n != want || got.Undated != 2 || got.UndatedDropped != 100-want {
			t.Errorf("%s: %d rows, %+v", undated, n, got)
		}
	}
}

func TestGoldNeverTrains(t *testing.T) {
	in := labelled(100)
	dir := stagetest.WriteFiles(t, map[string]string{"gold.csv": "url,title,rare,rare_tag\nhttp://x/3,other title altogether,0,\nhttp://y," + in[5].Title + ",1,\nhttp://z," + in[8].Title + " today,0,\n"})
	o := options()
	o.Gold = filepath.Join(dir, "gold.csv")
	r := run(t, o, in)
	for name, rs := range sides(t, r) {
		for _, row := range rs {
			for _, i := range []int{3, 5, 8, 9} {
				if row.URL == in[i].URL {
					t.Errorf("gold row %d is in %s", i, name)
				}
			}
		}
	}
	if r.External["gold"] == nil || r.Notes["gold_rows_removed"] != 4 {
		t.Errorf("%v %v", r.External, r.Notes)
	}
}

func TestRefusals(t *testing.T) {
	code := func(err error) stages.Code {
		var f *stages.Failure
		if errors.As(err, &f) {
			return f.Code
		}
		return -1
	}
	if err := run(t, options(), nil).Err; code(err) != stages.CodeStage {
		t.Errorf("no rows: %v", err)
	}
	if err := run(t, options(), labelled(1)).Err; code(err) != stages.CodeStage || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("one row: %v", err)
	}
	pairs := labelled(24) // two rows of each category
	for i := range pairs {
		pairs[i].Labels = make([]rows.Label, 12)
		pairs[i].Labels[i/2].Score = 1
	}
	spread := options()
	spread.Ratios = split.Ratios{Train: 0.6, Val: 0.2, Test: 0.2}
	hint := func(err error) string {
		f, _ := errors.AsType[*stages.Failure](err)
		return f.Hint
	}
	if err := runOf(t, spread, pairs, strings.Split("a b c d e f g h i j k l", " ")...).Err; code(err) != stages.CodeStage || !strings.Contains(hint(err), "stratify: false") {
		t.Errorf("two rows of each category: %v", err)
	}
	flat := labelled(50)
	for i := range flat {
		flat[i].Labels = []rows.Label{{}, {}}
	}
	if err := run(t, options(), flat).Err; code(err) != stages.CodeStage || !strings.Contains(err.Error(), "one class only") {
		t.Errorf("one class: %v", err)
	}
	half := labelled(50)
	for i := range half {
		half[i].Labels[0] = rows.Label{}
	}
	if r := run(t, options(), half); r.Err != nil || !strings.Contains(r.Log, "category=rare") {
		t.Errorf("no warning: %v %s", r.Err, r.Log)
	}
	o := options()
	o.Ratios.Test = 0.2
	if p := o.Check(); len(p) != 1 || p[0].Path != "ratios" {
		t.Errorf("ratio sum: %v", p)
	}
}

// TestSplitByTheLabel: where a row has one label, its likeliest category alone is spread,
// so that weak second guesses move no row; and that is keyed.
func TestSplitByTheLabel(t *testing.T) {
	in := labelled(400)
	for i := range in {
		in[i].Labels = []rows.Label{{Score: b2f(i%4 == 0)}, {Score: 0.9 * b2f(i%4 != 3)}}
	}
	rare := func(head string) (of [3]int, keyed bool) {
		var b bytes.Buffer
		if err := rows.WriteParquet(&b, in, []string{"rare", "common"}); err != nil {
			t.Fatal(err)
		}
		r := stagetest.Run(t, stagetest.Case{Kind: split.Kind(), Options: options(), Inputs: map[string]any{"labelled": b.Bytes()},
			Taxonomy: stages.Source{Name: "taxonomy.yaml", Data: []byte(head + "categories: [{name: rare, rules: [{words: [xx]}]}, {name: common, rules: [{words: [yy]}]}]\n")}})
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		for i, side := range report(t, r).Sides {
			of[i] = side.Positives["common"]
		}
		return of, r.External["labels"] == "single"
	}
	// 200 rows are of common alone, 100 of rare first and 100 of none.
	if of, keyed := rare("labels: single\n"); !keyed || of[0]+of[1]+of[2] != 200 || of[0] < 138 || of[0] > 142 {
		t.Errorf("%v, keyed %v", of, keyed)
	}
	if of, keyed := rare(""); keyed || of[0]+of[1]+of[2] != 300 {
		t.Errorf("of several labels: %v, keyed %v", of, keyed)
	}
}
