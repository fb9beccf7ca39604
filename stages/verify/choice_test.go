package verify_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/stagetest"
	"github.com/sprint-ml/sprint/stages/train"
	"github.com/sprint-ml/sprint/stages/verify"
)

const singleTaxonomy = "labels: single\ncategories:\n  - name: crime\n    tags: [theft]\n    rules: [{words: [wba], tag: theft}]\n  - name: sports\n    rules: [{words: [wbb]}]\n"

// oneEach makes rows whose words tell their category, the third of them none; some
// training rows are shared by two.
func oneEach(n int, rng *rand.Rand, shared bool) (out []rows.Row) {
	for i := range n {
		r := rows.Row{Labels: make([]rows.Label, 2), ID: fmt.Sprint("r", rng.IntN(1e9))}
		var words []string
		for range 6 {
			words = append(words, "wa"+string(rune('a'+rng.IntN(26))))
		}
		switch i % 3 {
		case 0:
			words = append(words, "wba", "wba")
			r.Labels[0] = rows.Label{Score: 1, Tag: "theft"}
		case 1:
			words = append(words, "wbb", "wbb")
			r.Labels[1] = rows.Label{Score: 1}
		}
		if shared && i%12 == 0 {
			words = append(words, "wbb")
			r.Labels = []rows.Label{{Score: 0.7, Tag: "theft"}, {Score: 0.3}}
		}
		r.Title = strings.Join(words, " ")
		out = append(out, r)
	}
	return out
}

// TestOneLabelPerRow goes from train to verify on rows that have one category or none:
// one softmax is learned, with none among its answers, and the figures fit it.
func TestOneLabelPerRow(t *testing.T) {
	taxonomy := stages.Source{Name: "taxonomy.yaml", Data: []byte(singleTaxonomy)}
	rng := rand.New(rand.NewPCG(8, 8))
	side := func(n int) []byte {
		var b bytes.Buffer
		if err := rows.WriteParquet(&b, oneEach(n, rng, true), []string{"crime", "sports"}); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	goldFile := func(both string) string {
		gold := "id,title,crime,crime_tag,sports,sports_tag\n"
		for _, r := range oneEach(60, rng, false) {
			gold += fmt.Sprintf("%s,%s,%g,%s,%g,\n", r.ID, r.Title, r.Labels[0].Score, r.Labels[0].Tag, r.Labels[1].Score)
		}
		return filepath.Join(stagetest.WriteFiles(t, map[string]string{"gold.csv": gold + both}), "gold.csv")
	}
	inputs := map[string]any{"train": side(192), "val": side(48), "test": side(48)}
	trained := stagetest.MustRun(t, stagetest.Case{Kind: train.Kind(), Taxonomy: taxonomy, CacheDir: encodertest.Cache(), Offline: true, Inputs: inputs,
		Options: &train.Options{Encoder: encodertest.Tiny(t), Epochs: 8, BatchSize: 16, BatchTokens: 512, LearningRate: 5e-3, HeadScale: 1, LayerDecay: 1, Warmup: 0.1, Clip: 1,
			Schedule: "linear", Pooling: bert.Mean, HeadHidden: 16, MaxLength: 24, Text: []string{"title"}, ClassWeights: "sqrt", MaskAbstain: true, MaskHow: "mask", RulesBeside: "auto", TagLoss: "tagged",
			ScoreWeight: 0.5, TagWeight: 0.5, BestBy: "macro_f1", Sampling: "balanced", Precision: "fp32", MicroBatches: 1, FreezeEmbed: "false", Seed: 1, Checkpoint: 40, CheckpointMinutes: 10},
		Env: func(e *stages.Env) { e.Device = device.Go }})
	if text := strings.TrimSpace(string(trained.File(t, "thresholds"))); text != "{}" {
		t.Errorf("thresholds %s", text)
	}
	if !strings.Contains(trained.Log, "rules weigh in") {
		t.Error("the rules do not weigh in, and without their words nothing is to be found")
	}
	var c release.Calibration
	if err := json.Unmarshal(trained.File(t, "calibration"), &c); err != nil || c.Choice == nil || c.Choice.Rows != 48 || !(c.Choice.LogLoss[1] <= c.Choice.LogLoss[0]) || math.Abs(c.Choice.Fired-2./3) > 0.01 {
		t.Fatalf("%+v %v", c.Choice, err)
	}
	zero := 0.0
	measure := func(gold string, checks ...verify.Check) *stagetest.Result {
		read := map[string]any{"train": inputs["train"], "test": inputs["test"], "model": trained.Outputs["model"], "thresholds": trained.Outputs["thresholds"], "calibration": trained.Outputs["calibration"]}
		if heads, ok := inputs["heads"]; ok {
			read["heads"] = heads
		}
		return stagetest.Run(t, stagetest.Case{Kind: verify.Kind(), Taxonomy: taxonomy, CacheDir: encodertest.Cache(), Offline: true, Store: trained.Store,
			Inputs:  read,
			Options: &verify.Options{Gold: gold, Checks: checks},
			Env:     func(e *stages.Env) { e.Device = device.Go }})
	}
	r := measure(goldFile(""), verify.Check{ID: "accuracy", On: "gold", Min: number(0.8), Severity: "error"}, verify.Check{ID: "calibration", On: "gold", Max: number(0.5), Severity: "error"},
		verify.Check{ID: "gain", On: "gold", Over: "majority", Min: &zero, Severity: "error"}, verify.Check{ID: "fallback", On: "gold", Severity: "error"}, verify.Check{ID: "reload", On: "gold", Severity: "error"})
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	var m verify.Metrics
	if err := json.Unmarshal(r.File(t, "metrics"), &m); err != nil {
		t.Fatal(err)
	}
	d := m.Details["gold"].Choice
	right, all := 0, 0
	for i, row := range d.Confusion {
		for j, n := range row {
			if all += n; i == j {
				right += n
			}
		}
	}
	if m.Labels != "single" || all != 60 || *m.Gold.Accuracy != float64(right)/60 || !slices.Equal(d.Categories, []string{"crime", "sports", ""}) || d.Confusion[2][2] < 10 {
		t.Errorf("labels %q, accuracy %v, confusion %v of %v", m.Labels, *m.Gold.Accuracy, d.Confusion, d.Categories)
	}
	if ci := m.Gold.CI.Accuracy; ci == nil || !(ci[0] <= *m.Gold.Accuracy && *m.Gold.Accuracy <= ci[1]) || m.Details["gold"].Gains["keywords"].Accuracy == nil {
		t.Errorf("interval %v", ci)
	}
	if k := m.Baselines["keywords"]; *k.Accuracy != 1 || *m.Baselines["majority"].Accuracy < 0.2 || *m.Baselines["majority"].Accuracy > 0.4 {
		t.Errorf("keywords %v, majority %v", *k.Accuracy, *m.Baselines["majority"].Accuracy)
	}
	if all, some := d.Calibration, d.WithCategory; some == nil || all.Rows != 60 || some.Rows != 40 || some.ECE == all.ECE {
		t.Errorf("calibrated on %+v, with a category %+v", all, some)
	}
	mean := 0.0 // of the probability of crime
	for line := range strings.Lines(string(r.File(t, "predictions"))) {
		var p verify.Prediction
		if err := json.Unmarshal([]byte(line), &p); err != nil || p.Categories["crime"].Answer && p.Categories["sports"].Answer {
			t.Fatalf("%s: %v", line, err)
		}
		mean += (p.Categories["crime"].Score + 1) / 2 / 60
	}
	for _, b := range m.Details["gold"].Calibration["crime"].Bins {
		mean -= b.Probability * float64(b.Rows) / 60
	}
	if math.Abs(mean) > 1e-3 {
		t.Errorf("the calibration of a category is of other probabilities than its scores': %v apart on average", mean)
	}
	testHeads(t, trained.Tree(t, "model"), func(heads map[string][]byte) (m verify.Metrics) {
		inputs["heads"] = heads
		r := measure(goldFile(""), verify.Check{ID: "accuracy", On: "gold", Min: &zero, Severity: "error"})
		if err := json.Unmarshal(r.File(t, "metrics"), &m); err != nil {
			t.Fatal(err)
		}
		return m
	})
	delete(inputs, "heads")
	bad := measure(goldFile("r1,wba wbb,1,,1,\n"), verify.Check{ID: "accuracy", On: "gold", Min: &zero, Severity: "error"})
	if bad.Err == nil || !strings.Contains(bad.Err.Error(), "row 61: it is of crime and sports") {
		t.Errorf("a gold row of two categories: %v", bad.Err)
	}
}

// headsOf makes the output heads of train of a model.
func headsOf(t *testing.T, model map[string][]byte) map[string][]byte {
	t.Helper()
	split := t.TempDir()
	for name, data := range model {
		if err := os.WriteFile(filepath.Join(split, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := release.SplitHeads(split, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	tree := map[string][]byte{}
	entries, err := os.ReadDir(split)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if tree[e.Name()], err = os.ReadFile(filepath.Join(split, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

// testHeads measures a model beside the heads that it was tuned from: here they are the
// model itself, so that the figures are the same.
func testHeads(t *testing.T, model map[string][]byte, measure func(heads map[string][]byte) verify.Metrics) {
	t.Helper()
	m := measure(headsOf(t, model))
	heads, ok := m.Baselines["heads"]
	if gain := m.Details["gold"].Gains["heads"]; !ok || !reflect.DeepEqual(heads, *m.Gold) || gain.MacroF1.Value != 0 {
		t.Errorf("the heads have %+v, which is the model, and that %+v", heads, *m.Gold)
	}
	if none := measure(map[string][]byte{"untuned.json": []byte("{}")}); len(none.Baselines) != 2 {
		t.Errorf("baselines of a model that was not tuned: %v", none.Baselines)
	}
}

func number(x float64) *float64 { return &x }
