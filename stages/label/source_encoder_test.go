package label

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/embeddings"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/stagetest"
	"github.com/sprint-ml/sprint/storage"
)

func onGo(env *stages.Env) { env.Device = device.Go }

// TestEncoder: rows that no rule decides go to the encoder, which labels those that lie
// nearest to one description and leaves ambiguous ones alone.
func TestEncoder(t *testing.T) {
	in := parquet(t, []rows.Row{
		{ID: "rule", Title: "fire waa wab wac"},
		{ID: "near", Title: "waa wab wac"},
		{ID: "tag", Title: "big fire"}, // a rule again
		{ID: "money", Title: "wak wal wam"},
		{ID: "between", Title: "wba wbb wbc wbd"},
	}, nil)
	o := &Options{Source: []string{"rules", "encoder"}, Rules: "taxonomy", Abstain: true, Encoder: Encoder{
		Model: encodertest.Tiny(t), Pooling: "mean", Prompt: "auto", Text: []string{"title"}, Temperature: 0.05, Sure: 0.8, Strength: 0.7,
		Describe: map[string][]string{"fire": {"wad wae", "waa wab wac"}, "money": {"wak wal wam"}, "empty": {"wau wav waw"}},
	}}
	res, got, report, err := attempt(t, o, in, onGo)
	if err != nil {
		t.Fatal(err)
	}
	if r := got["near"]; r.Labels[0].Score != 0.7 || r.LabelSource != "encoder" {
		t.Errorf("near: %+v by %q", r.Labels, r.LabelSource)
	}
	if r := got["money"]; r.Labels[1].Score != 0.7 || r.LabelSource != "encoder" {
		t.Errorf("money: %+v by %q", r.Labels, r.LabelSource)
	}
	if r := got["rule"]; r.Labels[0].Score != 0.8 || r.LabelSource != "rules" {
		t.Errorf("rule: %+v by %q", r.Labels, r.LabelSource)
	}
	if e := *report.Encoder; e.Asked != 3 || e.Decided+e.Unsure != 3 || e.Decided < 2 || report.Sources["rules"].Rows != 2 {
		t.Errorf("%+v %+v", report.Encoder, report.Sources)
	}
	described, _ := res.External["described"].(map[string]any)
	if res.External["encoder"] == nil || len(described["fire"].([]any)) != 2 || described["empty"].([]any)[0] != "wau wav waw" {
		t.Errorf("key %v", res.External)
	}
	// Two categories of one description are never told apart.
	o.Encoder.Describe["money"] = o.Encoder.Describe["fire"]
	_, got, report, err = attempt(t, o, in, onGo)
	if err != nil || !got["near"].Labels[0].Abstain || report.Encoder.Unsure == 0 {
		t.Errorf("ambiguous: %+v %+v, %v", got["near"].Labels, report, err)
	}
	// The rows farthest from everything are of no category, if the plan says so.
	o.Encoder.Describe["money"], o.Encoder.NoneShare = []string{"wak wal wam"}, 0.4
	_, got, report, err = attempt(t, o, in, onGo)
	if err != nil || got["between"].Labels[0].Abstain || got["between"].LabelSource != "encoder" || report.Encoder.None != 1 {
		t.Errorf("none: %+v, %+v, %v", got["between"], report.Encoder, err)
	}
	o.Encoder.Describe["fyre"] = []string{"x"}
	if _, _, _, err := attempt(t, o, in, onGo); err == nil || !strings.Contains(err.Error(), "fyre") {
		t.Errorf("a description of no category: %v", err)
	}
	delete(o.Encoder.Describe, "fyre")
	o.Encoder.Model = "all-minilm-l7"
	if _, _, _, err := attempt(t, o, in, onGo); err == nil || !strings.Contains(err.Error(), "unknown encoder") {
		t.Errorf("unknown encoder: %v", err)
	}
}

// TestEmbedsOnce: a stage with other options, and one after one more row, finds the
// vectors that an earlier one kept, and gives what it would give without them.
func TestEmbedsOnce(t *testing.T) {
	store, err := storage.Open(t.Context(), "mem://", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	dir := encodertest.Tiny(t)
	run := func(store *storage.Store, strength float64, titles ...string) (note embeddings.Note, labelled []byte) {
		t.Helper()
		var set []rows.Row
		for _, title := range titles {
			set = append(set, rows.Row{ID: title, Title: title})
		}
		o := &Options{Source: []string{"rules", "encoder"}, Rules: "taxonomy", Abstain: true, Conflict: "max", Combine: "chain", Encoder: Encoder{
			Model: dir, Pooling: "mean", Prompt: "auto", Text: []string{"title"}, Temperature: 0.05, Sure: 0.5, Strength: strength,
		}}
		res := stagetest.MustRun(t, stagetest.Case{Kind: Kind(), Options: o, Store: store, Inputs: map[string]any{"articles": parquet(t, set, nil)}, Taxonomy: stages.Source{Name: "taxonomy.yaml", Data: []byte(taxonomyText)}, Env: onGo})
		note, _ = res.Notes[embeddings.NoteName].(embeddings.Note)
		return note, res.File(t, "labelled")
	}
	titles := []string{"waa wab", "wac wad wae", "wba wbb", "fire waf", "wag wah"}
	first, want := run(store, 0.7, titles[:4]...)
	again, got := run(store, 0.7, titles[:4]...)
	if first.Space == "" {
		t.Skip("this machine's processor has no name")
	}
	if first.Computed == 0 || again.Computed != 0 || !bytes.Equal(got, want) {
		t.Errorf("computed %d texts, then %d", first.Computed, again.Computed)
	}
	more, got := run(store, 0.6, titles...)
	if more.Computed != 1 {
		t.Errorf("with one more row and another strength %d texts were computed", more.Computed)
	}
	fresh, err := storage.Open(t.Context(), "mem://", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	if _, want := run(fresh, 0.6, titles...); !bytes.Equal(got, want) {
		t.Error("kept vectors changed the labels")
	}
}
