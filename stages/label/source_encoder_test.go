package label

import (
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

func onGo(env *stages.Env) { env.Device = device.Go }

// TestEncoder: rows that no rule decides go to the encoder, which labels those
// near one description and leaves far and ambiguous ones alone.
func TestEncoder(t *testing.T) {
	in := parquet(t, []rows.Row{
		{ID: "rule", Title: "fire waa wab wac"},
		{ID: "near", Title: "waa wab wac"},
		{ID: "tag", Title: "big fire"}, // a rule again
		{ID: "far", Title: "wba wbb wbc wbd"},
	}, nil)
	o := &Options{Source: []string{"rules", "encoder"}, Rules: "taxonomy", Abstain: true, Encoder: Encoder{
		Model: encodertest.Tiny(t), Pooling: "mean", Text: []string{"title"}, Threshold: 0.999, Margin: 0.0001, NoneBelow: -1, Strength: 0.7,
		Describe: map[string][]string{"fire": {"wad wae", "waa wab wac"}, "money": {"wak wal wam"}},
	}}
	res, got, report, err := attempt(t, o, in, onGo)
	if err != nil {
		t.Fatal(err)
	}
	if r := got["near"]; r.Labels[0].Score != 0.7 || r.Labels[1].Abstain || r.Labels[1].Score != 0 || r.LabelSource != "encoder" {
		t.Errorf("near: %+v by %q", r.Labels, r.LabelSource)
	}
	if r := got["rule"]; r.Labels[0].Score != 0.8 || r.LabelSource != "rules" {
		t.Errorf("rule: %+v by %q", r.Labels, r.LabelSource)
	}
	if r := got["far"]; !r.Labels[0].Abstain || r.LabelSource != "" {
		t.Errorf("far: %+v by %q", r.Labels, r.LabelSource)
	}
	if *report.Encoder != (encoderCount{Asked: 2, Decided: 1, Far: 1}) || report.Sources["encoder"].Positives != 1 || report.Sources["rules"].Rows != 2 {
		t.Errorf("%+v %+v", report.Encoder, report.Sources)
	}
	described, _ := res.External["described"].(map[string]any)
	if res.External["encoder"] == nil || len(described["empty"].([]any)) != 1 || described["empty"].([]any)[0] != "empty" {
		t.Errorf("key %v", res.External)
	}
	// Two categories of one description are never told apart.
	o.Encoder.Describe["money"] = o.Encoder.Describe["fire"]
	_, got, report, err = attempt(t, o, in, onGo)
	if err != nil || !got["near"].Labels[0].Abstain || report.Encoder.Close != 1 {
		t.Errorf("ambiguous: %+v %+v, %v", got["near"].Labels, report, err)
	}
	// Far from everything is of no category, if the plan says so.
	o.Encoder.NoneBelow = 0.999
	_, got, _, err = attempt(t, o, in, onGo)
	if err != nil || got["far"].Labels[0].Abstain || got["far"].LabelSource != "encoder" {
		t.Errorf("none: %+v, %v", got["far"], err)
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
