package train

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/frozen"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

// headsOptions fit heads on the tiny encoder in folder dir.
func headsOptions(dir string) *Options {
	return &Options{Encoder: dir, Method: methodHeads, Pooling: poolingAuto, MaxLength: 24, Text: []string{"title"}, MaskAbstain: true, HandWeight: 1, Seed: 1,
		Heads: frozen.Options{Strength: 3, Balance: true, Rounds: 3, Power: 2, Folds: 5, Sure: 0.6, Bonus: 2, Alarm: 0.7}}
}

// saved is the model of a training, and what says how it was fitted.
func saved(t *testing.T, r *stagetest.Result) (*bert.Model, *release.Calibration, map[string]float64) {
	t.Helper()
	files := map[string]string{}
	for name, data := range r.Tree(t, "model") {
		files[name] = string(data)
	}
	m, err := bert.Load(stagetest.WriteFiles(t, files))
	if err != nil {
		t.Fatal(err)
	}
	var c release.Calibration
	var thresholds map[string]float64
	for name, into := range map[string]any{"calibration": &c, "thresholds": &thresholds} {
		if err := json.Unmarshal(r.File(t, name), into); err != nil {
			t.Fatal(err)
		}
	}
	return m, &c, thresholds
}

// TestHeads: heads on a frozen encoder learn without a step of training, leave the encoder
// as it is, and say how held-out answers agree with the labels; the same options give the
// same bytes, others another model.
func TestHeads(t *testing.T) {
	dir := encodertest.Tiny(t)
	base := stagetest.MustRun(t, attempt(t, headsOptions(dir)))
	m, c, thresholds := saved(t, base)
	if s := m.Spec; !s.Linear || s.Pooling != bert.Mean || s.RulesBonus != 2 || s.RulesAlone || s.HeadHidden != 0 {
		t.Errorf("the model is %+v", s)
	}
	if c.Heads == nil || c.Heads.Rows != 96+48 || c.Heads.Labelled != 96+48 || c.Heads.Agreement < 0.75 || c.Categories["crime"].On != frozen.OnFolds {
		t.Errorf("calibration is %+v, %+v", c, c.Heads)
	}
	h := history(t, base)
	if len(h) != 1 || !h[0].Best || h[0].ValMacroF1 < 0.75 || h[0].Heads[0].Category != "crime" || h[0].Heads[0].Support != 72 || h[0].ValLoss <= 0 || h[0].TrainLoss >= h[0].ValLoss {
		t.Errorf("history is %+v", h)
	}
	if x := thresholds["crime"]; math.Abs(x-c.Categories["crime"].Threshold) > 1e-9 || x <= -1 || x >= 1 {
		t.Errorf("thresholds are %v", thresholds)
	}
	if again := stagetest.MustRun(t, attempt(t, headsOptions(dir))); again.Outputs["model"].Digest != base.Outputs["model"].Digest {
		t.Error("a second fit gives other bytes")
	}
	for name, change := range map[string]func(*Options){
		"strength": func(o *Options) { o.Heads.Strength = 1 },
		"bonus":    func(o *Options) { o.Heads.Bonus = 1 },
		"alarm":    func(o *Options) { o.Heads.Alarm = 1 },
		"pooling":  func(o *Options) { o.Pooling = bert.CLS },
		"dtype":    func(o *Options) { o.DType = "fp16" },
	} {
		o := headsOptions(dir)
		change(o)
		if r := stagetest.MustRun(t, attempt(t, o)); r.Outputs["model"].Digest == base.Outputs["model"].Digest {
			t.Errorf("%s changes nothing", name)
		}
	}
}

// TestHeadsOfOneLabel: where a row has one label, unlabelled rows teach too, a temperature
// is fitted, and rows of none get an output of their own.
func TestHeadsOfOneLabel(t *testing.T) {
	tax := stages.Source{Name: taxonomyFile.Name, Data: append([]byte("labels: single\n"), taxonomyFile.Data...)}
	set := headlines(120, 1)
	for i := range set {
		l := set[i].Labels
		switch {
		case i%2 == 0:
			l[1] = rows.Label{}
		case i%7 == 0:
		default:
			l[0], l[1] = rows.Label{Abstain: true}, rows.Label{Abstain: true}
		}
	}
	run := func(change func(*Options)) (*bert.Model, *release.Calibration, string) {
		o := headsOptions(encodertest.Tiny(t))
		change(o)
		a := attempt(t, o)
		a.Taxonomy, a.Inputs["train"], a.Inputs["val"] = tax, parquet(t, set), parquet(t, set[:1])
		r := stagetest.MustRun(t, a)
		m, c, thresholds := saved(t, r)
		if len(thresholds) != 0 {
			t.Errorf("thresholds are %v", thresholds)
		}
		return m, c, r.Outputs["model"].Digest
	}
	m, c, base := run(func(*Options) {})
	if s := m.Spec; !s.Single || s.None || s.Temperature != c.Choice.Temperature || c.Choice.On != frozen.OnFolds || c.Heads.Labelled >= c.Heads.Rows {
		t.Errorf("the model is %+v, fitted %+v, %+v", s, c.Choice, c.Heads)
	}
	if m, _, _ := run(func(o *Options) { o.MaskAbstain = false }); !m.Spec.None {
		t.Error("undecided rows that are negative are of no category")
	}
	for name, change := range map[string]func(*Options){
		"rounds": func(o *Options) { o.Heads.Rounds = 1 }, "power": func(o *Options) { o.Heads.Power = 1 },
		"balance": func(o *Options) { o.Heads.Balance = false }, "folds": func(o *Options) { o.Heads.Folds = 3 }, "seed": func(o *Options) { o.Seed = 2 },
	} {
		if _, _, digest := run(change); digest == base {
			t.Errorf("%s changes nothing", name)
		}
	}
}

// TestHeadsAlarm: labels that no text explains leave the answers to the rules, and the log
// says what to do.
func TestHeadsAlarm(t *testing.T) {
	set := headlines(200, 1)
	for i := range set {
		set[i].Labels[0], set[i].Labels[1] = set[(i*7+3)%200].Labels[0], set[(i*11+5)%200].Labels[1]
		set[i].LabelSource = "rules"
	}
	a := attempt(t, headsOptions(encodertest.Tiny(t)))
	a.Inputs["train"] = parquet(t, set)
	r := stagetest.MustRun(t, a)
	m, c, thresholds := saved(t, r)
	if !m.Spec.RulesAlone || m.Spec.RulesBonus != 0 || !c.Heads.RulesAlone || thresholds["crime"] != 0.5 || !strings.Contains(r.Log, "name a better encoder") {
		t.Errorf("%+v, %+v, %v\n%s", m.Spec, c.Heads, thresholds, r.Log)
	}
}

// TestHeadsAlarmOfBoughtLabels: a chat model that is wrong about a quarter of the rows is no
// encoder that knows no language; one whose answers no text explains still is.
func TestHeadsAlarmOfBoughtLabels(t *testing.T) {
	for _, c := range []struct {
		source string
		every  int // label of so many that is another's
		alone  bool
	}{{"http", 4, false}, {"rules", 4, true}, {"http", 1, true}} {
		set := headlines(200, 1)
		from := headlines(200, 1)
		for i := range set {
			if set[i].LabelSource = c.source; i%c.every == 0 {
				set[i].Labels = slices.Clone(from[(i*7+3)%200].Labels)
			}
		}
		a := attempt(t, headsOptions(encodertest.Tiny(t)))
		a.Inputs["train"] = parquet(t, set)
		m, got, _ := saved(t, stagetest.MustRun(t, a))
		if m.Spec.RulesAlone != c.alone {
			t.Errorf("%s, one of %d wrong: the rules answer alone: %v, agreement %+v", c.source, c.every, m.Spec.RulesAlone, got.Heads)
		}
	}
}

// TestHeadsOfHardRows: what little can be learned from is learned from or refused with a
// hint, and never breaks.
func TestHeadsOfHardRows(t *testing.T) {
	same := headlines(20_000, 1)
	for i := range same {
		same[i].Title = "waa wab"
	}
	unlabelled := headlines(20, 1)
	for i := range unlabelled {
		unlabelled[i].Labels = []rows.Label{{Abstain: true}, {Abstain: true}}
	}
	script, silent := headlines(40, 1), headlines(40, 1)
	for i := range script {
		script[i].Title = strings.Repeat(string(rune(0x103a0+i%20)), 1+i%5) // Old Persian, all of it unknown to the encoder
		silent[i].Labels[1] = rows.Label{Abstain: true}
		script[i].LabelSource, silent[i].LabelSource = "columns", "columns"
	}
	one := slices.Repeat(headlines(1, 1), 30)
	for name, c := range map[string]struct {
		train []rows.Row
		says  string
	}{
		"identical rows": {train: same}, "two rows": {train: headlines(2, 1)}, "an unknown script": {train: script}, "a category that no row speaks of": {train: silent},
		"no labels": {unlabelled, "no training row has a label"}, "one class": {one, "all of one class"},
	} {
		a := attempt(t, headsOptions(encodertest.Tiny(t)))
		a.Inputs["train"], a.Inputs["val"] = parquet(t, c.train), parquet(t, c.train[:1])
		r := stagetest.Run(t, a)
		if c.says == "" {
			if r.Err != nil {
				t.Errorf("%s: %v", name, r.Err)
			}
			continue
		}
		if f := failure(t, r.Err); f.Code != stages.CodeStage || !strings.Contains(f.Error(), c.says) || f.Hint == "" {
			t.Errorf("%s: code %d: %v (%s)", name, f.Code, f, f.Hint)
		}
	}
}
