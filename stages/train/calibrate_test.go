package train

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/stages/dedup"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

// goldFile writes rows as a gold set and returns them as they are read.
func goldFile(t *testing.T, set []rows.Row) (path string, gold []rows.Row) {
	t.Helper()
	var b strings.Builder
	b.WriteString("id,title,crime,crime_tag,sports,sports_tag\n")
	for i, r := range set {
		fmt.Fprintf(&b, "g%d,%s,%d,%s,%d,%s\n", i, r.Title, int(r.Labels[0].Score+0.5), r.Labels[0].Tag, int(r.Labels[1].Score+0.5), r.Labels[1].Tag)
	}
	path = filepath.Join(stagetest.WriteFiles(t, map[string]string{"gold.csv": b.String()}), "gold.csv")
	g, err := rows.ReadGold(strings.NewReader(b.String()), rows.Layout{Format: rows.CSV}, []rows.Category{{Name: "crime"}, {Name: "sports"}})
	if err != nil {
		t.Fatal(err)
	}
	return path, g.Rows
}

func calibration(t *testing.T, r *stagetest.Result) (c release.Calibration) {
	t.Helper()
	if err := json.Unmarshal(r.File(t, "calibration"), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCalibrate: a granted part of the gold set decides on thresholds and
// temperatures, is named, and the model rescales its own answers by them.
func TestCalibrate(t *testing.T) {
	o := options(encodertest.Tiny(t))
	before := stagetest.MustRun(t, attempt(t, o))
	if c := calibration(t, before); len(c.Gold) != 0 || c.Categories["crime"].On != "val" || c.Categories["crime"].Temperature != 1 {
		t.Errorf("without asking for it: %+v", c)
	}
	// Gold disagrees with the weak labels: crime is what they call sports.
	turned := headlines(200, 5)
	for i := range turned {
		turned[i].Labels[0].Score, turned[i].Labels[0].Tag = turned[i].Labels[1].Score, ""
	}
	path, gold := goldFile(t, turned)
	o = options(encodertest.Tiny(t))
	o.Calibrate = Calibrate{Temperature: "category", Gold: 0.4, File: path}
	r := stagetest.MustRun(t, attempt(t, o))
	c := calibration(t, r)
	want := map[string]bool{}
	for i, in := range dedup.GoldPart(gold, 0.4) {
		if in {
			want[gold[i].ID] = true
		}
	}
	for _, g := range c.Gold {
		if !want[g.ID] || g.Title == "" {
			t.Errorf("%+v is not in the part", g)
		}
	}
	crime := c.Categories["crime"]
	if len(c.Gold) != len(want) || crime.On != "gold" || crime.Rows != len(want) || crime.LogLoss[1] >= crime.LogLoss[0] || crime.Temperature == 1 {
		t.Errorf("%d of %d rows, %+v", len(c.Gold), len(want), crime)
	}
	var thresholds, old map[string]float64
	if json.Unmarshal(r.File(t, "thresholds"), &thresholds) != nil || json.Unmarshal(before.File(t, "thresholds"), &old) != nil || thresholds["crime"] == old["crime"] || thresholds["crime"] != crime.Threshold {
		t.Errorf("thresholds %v, on val %v", thresholds, old)
	}
	dir := t.TempDir()
	for name, data := range r.Tree(t, "model") {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m, err := bert.Load(dir)
	if err != nil || len(m.Spec.Temperatures) != 2 || m.Spec.Temperatures[0] != crime.Temperature {
		t.Fatalf("%v %v", m.Spec.Temperatures, err)
	}
	tempered := scores(t, m, gold[:20])
	m.Spec.Temperatures = nil
	for i, plain := range scores(t, m, gold[:20]) {
		for k := range plain {
			name := []string{"crime", "sports"}[k]
			want := metrics.Temper(float64(plain[k]), c.Categories[name].Temperature)
			if got := float64(tempered[i][k]); got < want-1e-6 || got > want+1e-6 || got < -1 || got > 1 {
				t.Errorf("row %d, %s: %g instead of %g", i, name, got, want)
			}
		}
	}
}

func scores(t *testing.T, m *bert.Model, set []rows.Row) [][]float32 {
	t.Helper()
	d, err := device.Open(t.Context(), device.Go, device.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := bert.NewPredictor(m, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(); d.Close() })
	var texts []bert.Text
	for _, r := range set {
		var x bert.Text
		x.IDs, x.Types = m.Encode(r.Title, "")
		texts = append(texts, x)
	}
	predictions, err := p.Predict(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]float32
	for _, p := range predictions {
		out = append(out, p.Scores)
	}
	return out
}

// TestCalibrateRefusals: a part that is no part, and one that nobody granted.
func TestCalibrateRefusals(t *testing.T) {
	o := options(encodertest.Tiny(t))
	o.Calibrate.Gold = 0.5
	if p := o.Check(); len(p) != 1 || p[0].Path != "calibrate.gold" {
		t.Errorf("no gold set: %v", p)
	}
	o.Calibrate.File, _ = goldFile(t, headlines(3, 1))
	o.Calibrate.Gold = 0.001
	if err := stagetest.Run(t, attempt(t, o)).Err; err == nil || !strings.Contains(err.Error(), "takes 0 of the 3 rows") {
		t.Error(err)
	}
	o = options(encodertest.Tiny(t))
	o.Select.Rounds, o.MaskAbstain, o.MaskHow = 1, false, "delete"
	if p := o.Check(); len(p) != 2 {
		t.Errorf("%v", p)
	}
	o = options(encodertest.Tiny(t))
	for _, s := range []Select{{Folds: 3, Confidence: 0.9}, {Folds: 5, Confidence: 0.8}} {
		o.Select = s
		if p := o.Check(); len(p) != 1 || p[0].Path != "select" {
			t.Errorf("%+v without rounds: %v", s, p)
		}
	}
	if o.Select = (Select{Folds: 5, Confidence: 0.9}); len(o.Check()) != 0 {
		t.Errorf("the defaults: %v", o.Check())
	}
}
