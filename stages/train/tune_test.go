package train

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/frozen"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/stagetest"
	"github.com/sprint-ml/sprint/stages/storeio"
)

// tuning is an attempt of method: both on rows of one label, of which a fifth has none.
func tuning(t *testing.T, change func(*Options)) stagetest.Case {
	t.Helper()
	o := options(encodertest.Tiny(t))
	h := headsOptions(o.Encoder)
	o.Method, o.HeadHidden, o.Heads, o.Tune = methodBoth, 0, h.Heads, frozen.Tune{Epochs: 2, LearningRate: 1e-3, BatchSize: 16, MaskRandom: 0.2}
	change(o)
	a := attempt(t, o)
	set := headlines(96, 1)
	for i := range set {
		switch {
		case i%5 == 0:
			set[i].Labels[0], set[i].Labels[1] = rows.Label{Abstain: true}, rows.Label{Abstain: true}
		case i%2 == 0:
			set[i].Labels[1] = rows.Label{}
			if i%4 == 0 {
				set[i].Labels[0].Tag = "fraud"
			}
		default:
			set[i].Labels[1] = rows.Label{Score: 1, Tag: "football"}
		}
	}
	a.Taxonomy = stages.Source{Name: taxonomyFile.Name, Data: append([]byte("labels: single\n"), taxonomyFile.Data...)}
	a.Inputs["train"], a.Inputs["val"] = parquet(t, set[:72]), parquet(t, set[72:])
	return a
}

// headsBefore is the model of the output heads.
func headsBefore(t *testing.T, r *stagetest.Result) *bert.Model {
	t.Helper()
	dir := t.TempDir()
	files, err := storeio.NewInputs(r.Store, r.Outputs).Tree(t.Context(), "heads")
	if err != nil {
		t.Fatal(err)
	}
	_, tuned, err := release.FetchHeads(t.Context(), files, dir)
	if err != nil || !tuned {
		t.Fatalf("tuned %v: %v", tuned, err)
	}
	m, err := bert.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestTune: the encoder and the heads change, what answers beside them does not, and the
// heads from which it began are kept.
func TestTune(t *testing.T) {
	r := stagetest.MustRun(t, tuning(t, func(*Options) {}))
	m, c, _ := saved(t, r)
	before := headsBefore(t, r)
	if m.Spec.Temperature != before.Spec.Temperature || m.Spec.RulesBonus != 2 || c.Choice == nil || c.Choice.On != frozen.OnFolds || m.Spec.Temperature != c.Choice.Temperature {
		t.Errorf("tuned %+v, before %+v", m.Spec, before.Spec)
	}
	for i, p := range m.Params {
		if same := slices.Equal(p.Data, before.Params[i].Data); same != p.Constant && p.Name != "emb.type" {
			t.Errorf("%s stayed %v", p.Name, same)
		}
	}
	h := history(t, r)
	if len(h) != 2 || !h[1].Best || h[1].Steps != 2*h[0].Steps || h[0].Steps < 5 {
		t.Errorf("history %+v", h)
	}
	for name, change := range map[string]func(*Options){
		"tune.epochs": func(o *Options) { o.Tune.Epochs = 1 }, "tune.learning_rate": func(o *Options) { o.Tune.LearningRate = 1e-4 },
		"tune.batch_size": func(o *Options) { o.Tune.BatchSize = 8 }, "tune.mask_random": func(o *Options) { o.Tune.MaskRandom = 0 },
	} {
		other := stagetest.MustRun(t, tuning(t, change))
		if other.Outputs["model"].Digest == r.Outputs["model"].Digest || other.Outputs["heads"].Digest != r.Outputs["heads"].Digest {
			t.Errorf("%s: the models are the same, or the heads are not", name)
		}
	}
}

// TestTuneResumes: a tuning that was stopped goes on from its checkpoint to the same bytes.
func TestTuneResumes(t *testing.T) {
	whole := stagetest.MustRun(t, tuning(t, func(*Options) {}))
	a := tuning(t, func(*Options) {})
	a.Store = stagetest.Store(t)
	env := a.Env
	ctx, stop := context.WithCancel(t.Context())
	a.Context = ctx
	a.Env = func(e *stages.Env) {
		env(e)
		e.Progress = func(p stages.Progress) {
			if p.Unit == "steps" && p.Done == 5 {
				stop()
			}
		}
	}
	if r := stagetest.Run(t, a); !errors.Is(r.Err, stages.ErrInterrupted) {
		t.Fatalf("stopped: %v", r.Err)
	}
	a.Context, a.Env = t.Context(), env
	r := stagetest.MustRun(t, a)
	if !strings.Contains(r.Log, "resumed") && r.Notes["resumed"] == nil {
		t.Errorf("it began anew: %v", r.Notes)
	}
	for name, w := range whole.Outputs {
		if got := r.Outputs[name]; got.Digest != w.Digest {
			t.Errorf("%s is another one", name)
		}
	}
}

// TestUntuned: where tuning gains nothing the model is its heads, and why is told.
func TestUntuned(t *testing.T) {
	for why, change := range map[string]func(*Options){
		"rows are fewer than":  func(o *Options) { o.Tune.MinRows = 500 },
		"words on average are": func(o *Options) { o.Tune.MinWords = 20 },
		"heads.rounds is 0":    func(o *Options) { o.Heads.Rounds = 0 },
		"the rules answer":     func(o *Options) { o.Heads.Alarm = 1 },
	} {
		r := stagetest.MustRun(t, tuning(t, change))
		heads := tuning(t, func(o *Options) { change(o); o.Method = methodHeads })
		if alone := stagetest.MustRun(t, heads); alone.Outputs["model"].Digest != r.Outputs["model"].Digest {
			t.Errorf("%s: the model is not that of heads", why)
		}
		files := r.Tree(t, "heads")
		if len(files) != 1 || !strings.Contains(string(files["untuned.txt"]), why) || !strings.Contains(r.Log, why) {
			t.Errorf("%s: %q\n%s", why, slices.Collect(maps.Keys(files)), r.Log)
		}
	}
	if why := (frozen.Tune{}).Skip(&bert.Spec{Text: []string{"title"}}, 3, nil); !strings.Contains(why, "several categories") {
		t.Errorf("several categories: %q", why)
	}
}

// TestTuneMoneyUp: a tuning whose money is up ends with its best epoch, and before a step
// with its heads.
func TestTuneMoneyUp(t *testing.T) {
	for steps, want := range map[int]int{8: 1, 0: 0} {
		a := tuning(t, func(*Options) {})
		pays(&a, steps)
		r := stagetest.MustRun(t, a)
		why, _ := r.Notes[stages.NoteEndedEarly].(string)
		if h := history(t, r); !strings.Contains(why, "the money of the run") || want > 0 && h[0].Steps == 0 || (r.Notes["untuned"] != nil) != (want == 0) {
			t.Errorf("%d steps: %q, %+v, untuned %v", steps, why, h, r.Notes["untuned"])
		}
	}
}

// TestTuneCountsFromTheStage: the time that max_minutes gives is that of the stage, which
// fitted heads before.
func TestTuneCountsFromTheStage(t *testing.T) {
	c := tuning(t, func(o *Options) { o.MaxMinutes = 30 })
	s := &stage{o: c.Options.(*Options), env: stages.Env{Log: slog.New(slog.DiscardHandler), Device: device.Go, Scratch: t.TempDir(), Note: func(string, any) {}, Progress: func(stages.Progress) {}}}
	dev, err := device.Open(t.Context(), device.Go, device.Options{})
	if err != nil {
		t.Fatal(err)
	}
	enc, err := encoder.Load(s.o.Encoder)
	if err != nil {
		t.Fatal(err)
	}
	tax, problems := taxonomy.Parse(c.Taxonomy.Data)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	m, err := bert.FromEncoder(enc, bert.Spec{Categories: []bert.Category{{Name: "crime", Tags: tax.Categories[0].Tags}, {Name: "sports", Tags: tax.Categories[1].Tags}}, Pooling: bert.Mean, Linear: true, Single: true, MaxLength: 24, Text: []string{"title"}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	set := headlines(40, 1)
	for i := range set {
		set[i].Labels[i%2].Score = 0
	}
	f := fitted{t: tax, dev: dev, model: m, set: set, val: set, fit: &frozen.Fit{}, began: time.Now().Add(-time.Hour)}
	for range set {
		f.fit.Soft = append(f.fit.Soft, []float32{0.5, 0.5})
	}
	l, err := s.newTuning(f)
	if err != nil {
		t.Fatal(err)
	}
	defer l.trainer.Close()
	if err := l.budget(time.Second, time.Second); err == nil || !strings.Contains(err.Error(), "not one step fits") {
		t.Errorf("an hour after the beginning, with half of one: %v", err)
	}
	f.began = time.Now()
	again, err := s.newTuning(f)
	if err != nil {
		t.Fatal(err)
	}
	defer again.trainer.Close()
	if err := again.budget(time.Second, time.Second); err != nil {
		t.Error(err)
	}
}
