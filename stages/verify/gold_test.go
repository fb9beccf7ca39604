package verify_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
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

// TestCalibratedGoldIsNotScored: from train to verify, the gold rows on which
// thresholds were fitted are counted in no figure, nor are near-duplicates of
// them under another id.
func TestCalibratedGoldIsNotScored(t *testing.T) {
	taxonomy := stages.Source{Name: "taxonomy.yaml", Data: []byte("categories:\n  - name: crime\n    rules: [{id: theft, words: [wba]}]\n")}
	rng := rand.New(rand.NewPCG(8, 8))
	headline := func(i int) rows.Row {
		r := rows.Row{Labels: []rows.Label{{}}, ID: fmt.Sprint("r", rng.IntN(1e9))}
		var words []string
		for range 8 {
			words = append(words, "wa"+string(rune('a'+rng.IntN(26))))
		}
		if i%2 == 0 {
			words = append(words, "wba")
			r.Labels[0].Score = 1
		}
		r.Title = strings.Join(words, " ")
		return r
	}
	side := func(n int) []byte {
		var set []rows.Row
		for i := range n {
			set = append(set, headline(i))
		}
		var b bytes.Buffer
		if err := rows.WriteParquet(&b, set, []string{"crime"}); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	var gold strings.Builder
	gold.WriteString("id,title,crime,crime_tag\n")
	for i := range 80 {
		r := headline(i)
		fmt.Fprintf(&gold, "%s,%s,%d,\n", r.ID, r.Title, int(r.Labels[0].Score))
	}
	dir := stagetest.WriteFiles(t, map[string]string{"gold.csv": gold.String()})
	path := filepath.Join(dir, "gold.csv")
	inputs := map[string]any{"train": side(64), "val": side(32), "test": side(32)}
	trained := stagetest.MustRun(t, stagetest.Case{Kind: train.Kind(), Taxonomy: taxonomy, CacheDir: encodertest.Cache(), Offline: true, Inputs: inputs,
		Options: &train.Options{Encoder: encodertest.Tiny(t), Epochs: 1, BatchSize: 16, BatchTokens: 512, LearningRate: 5e-3, HeadScale: 1, LayerDecay: 1, Warmup: 0.1,
			Schedule: "linear", Pooling: bert.Mean, HeadHidden: 16, MaxLength: 24, Text: []string{"title"}, ClassWeights: "sqrt", MaskAbstain: true, MaskHow: "mask", TagLoss: "tagged",
			ScoreWeight: 0.5, TagWeight: 0.5, BestBy: "loss", Sampling: "natural", Precision: "fp32", MicroBatches: 1, FreezeEmbed: "false", Seed: 1, Checkpoint: 4, CheckpointMinutes: 10,
			Calibrate: train.Calibrate{Temperature: "one", Gold: 0.4, File: path}},
		Env: func(e *stages.Env) { e.Device = device.Go }})
	var c release.Calibration
	if err := json.Unmarshal(trained.File(t, "calibration"), &c); err != nil || len(c.Gold) < 16 {
		t.Fatalf("%+v %v", c, err)
	}
	zero := 0.0
	measure := func(with bool) verify.Metrics {
		in := map[string]any{"train": inputs["train"], "test": inputs["test"], "model": trained.Outputs["model"], "thresholds": trained.Outputs["thresholds"]}
		if with {
			in["calibration"] = trained.Outputs["calibration"]
		}
		r := stagetest.MustRun(t, stagetest.Case{Kind: verify.Kind(), Taxonomy: taxonomy, CacheDir: encodertest.Cache(), Offline: true, Store: trained.Store, Inputs: in,
			Options: &verify.Options{Gold: path, Checks: []verify.Check{{ID: "macro_f1", On: "gold", Min: &zero, Severity: "error"}}},
			Env:     func(e *stages.Env) { e.Device = device.Go }})
		var m verify.Metrics
		if err := json.Unmarshal(r.File(t, "metrics"), &m); err != nil {
			t.Fatal(err)
		}
		checkProgress(t, r.Progress, int64(m.Gold.Rows))
		for _, g := range c.Gold {
			if with && bytes.Contains(r.File(t, "predictions"), []byte(g.Title)) {
				t.Errorf("%q was fitted on and is scored", g.Title)
			}
		}
		return m
	}
	if n := measure(false).Gold.Rows; n != 80 {
		t.Errorf("%d rows are scored without a calibration", n)
	}
	if n := measure(true).Gold.Rows; n != 80-len(c.Gold) {
		t.Errorf("%d rows are scored of 80, %d were fitted on", n, len(c.Gold))
	}
}

// checkProgress wants the rows of a set to be told of batch by batch, from none to all.
func checkProgress(t *testing.T, all []stages.Progress, total int64) {
	t.Helper()
	var done []int64
	for _, p := range all {
		if p.Text == "gold" && p.Total == total {
			done = append(done, p.Done)
		}
	}
	if len(done) < 3 || done[0] != 0 || done[1] >= total || done[len(done)-1] != total || !slices.IsSorted(done) {
		t.Errorf("of %d gold rows it was told that %v are answered", total, done)
	}
}
