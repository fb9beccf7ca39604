package train

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

func TestTrains(t *testing.T) {
	o := options(encodertest.Tiny(t))
	o.Epochs, o.LearningRate, o.HeadScale, o.Dropout, o.Patience = 30, 3e-3, 10, 0, 10
	r := stagetest.MustRun(t, attempt(t, o))
	h := history(t, r)
	best := h[0]
	for _, e := range h {
		if e.Best {
			best = e
		}
	}
	if best.ValMacroF1 < 0.8 || len(best.Heads) != 2 || best.Heads[0].Category != "crime" || best.Heads[0].Support != 24 || best.Heads[0].F1 < 0.8 || best.Heads[0].TagAccuracy < 0.8 {
		t.Errorf("best epoch %+v", best)
	}
	if text := string(r.File(t, "history")); !strings.Contains(text[:120], `"epoch": 1,`) || strings.Index(text, "train_loss") > strings.Index(text, "val_loss") {
		t.Errorf("history begins %.200s", text)
	}
	for d := xml.NewDecoder(bytes.NewReader(r.File(t, "curve"))); ; {
		if _, err := d.Token(); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Errorf("the curve is no XML: %v", err)
			}
			break
		}
	}
	if files := stagetest.Paths(r.Tree(t, "model")); !slices.Contains(files, "model.safetensors") {
		t.Errorf("the model holds %v", files)
	}
}

// TestOptionsDoWhatTheySay changes one option at a time: the model is another
// one, or for those that only save work or memory the same up to rounding.
func TestOptionsDoWhatTheySay(t *testing.T) {
	dir := encodertest.Tiny(t)
	options := func(dir string) *Options {
		o := options(dir)
		o.Epochs = 1
		return o
	}
	base := stagetest.MustRun(t, attempt(t, options(dir)))
	for name, change := range map[string]func(*Options){
		"sampling":      func(o *Options) { o.Sampling = "balanced" },
		"precision":     func(o *Options) { o.Precision = "bf16" },
		"freeze_layers": func(o *Options) { o.FreezeLayers = 1 },
		"layer_decay":   func(o *Options) { o.LayerDecay = 0.5 },
		"schedule":      func(o *Options) { o.Schedule = "cosine" },
		"smoothing":     func(o *Options) { o.Smoothing = 0.1 },
		"dropout":       func(o *Options) { o.Dropout = 0 },
		"mask_rules":    func(o *Options) { o.MaskRules = 0.5 },
		"with_rules":    func(o *Options) { o.RulesBeside = "always" },
		"mask_how":      func(o *Options) { o.MaskRules, o.MaskHow = 0.5, "delete" },
		"select":        func(o *Options) { o.Select = Select{Rounds: 1, Folds: 3, Confidence: 0.6} },
		"mask_random":   func(o *Options) { o.MaskRandom = 0.2 },
		"class_weights": func(o *Options) { o.ClassWeights = "balanced" },
		"tag_loss":      func(o *Options) { o.TagLoss = "all" },
		"pooling":       func(o *Options) { o.Pooling = bert.CLS },
	} {
		o := options(dir)
		change(o)
		r := stagetest.MustRun(t, attempt(t, o))
		if r.Outputs["model"].Digest == base.Outputs["model"].Digest {
			t.Errorf("%s changes nothing", name)
		}
	}
	o := options(dir)
	o.MicroBatches, o.Dropout = 3, 0
	whole := options(dir)
	whole.Dropout = 0
	a, b := history(t, stagetest.MustRun(t, attempt(t, o))), history(t, stagetest.MustRun(t, attempt(t, whole)))
	if d := a[0].ValLoss - b[0].ValLoss; d > 1e-2 || d < -1e-2 {
		t.Errorf("in micro-batches the loss is %v, else %v", a[0].ValLoss, b[0].ValLoss)
	}
}

func TestBestBy(t *testing.T) {
	l := &loop{stage: &stage{o: &Options{BestBy: "macro_f1"}}, state: loopState{BestLoss: 1, BestF1: 0.5}}
	for _, c := range []struct {
		by         string
		loss, f1   float64
		wantBetter bool
	}{
		{"macro_f1", 2, 0.6, true}, {"macro_f1", 0.5, 0.4, false}, {"macro_f1", 0.9, 0.5, true}, {"macro_f1", 1.1, 0.5, false},
		{"loss", 2, 0.6, false}, {"loss", 0.5, 0.4, true},
	} {
		l.o.BestBy = c.by
		if got := l.better(Epoch{ValLoss: c.loss, ValMacroF1: c.f1}); got != c.wantBetter {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestWeights: rare tags count more, and the empty tag of rows that are not of
// the category, or whose rule names none, counts nothing.
func TestWeights(t *testing.T) {
	tax := &taxonomy.Taxonomy{Categories: []taxonomy.Category{{Name: "a", Tags: []string{"", "x", "y"}}, {Name: "b", Tags: []string{"", "z"}}}}
	var set []rows.Row
	for i := range 100 {
		r := rows.Row{Labels: make([]rows.Label, 2)}
		switch { // 10 of x, 40 of y, 10 of a without a tag; b never has one
		case i < 10:
			r.Labels[0] = rows.Label{Score: 1, Tag: "x"}
		case i < 50:
			r.Labels[0] = rows.Label{Score: 1, Tag: "y"}
		case i < 60:
			r.Labels[0] = rows.Label{Score: 1}
		case i < 80:
			r.Labels[1] = rows.Label{Score: 1}
		}
		set = append(set, r)
	}
	for _, c := range []struct {
		loss, class  string
		row, k, tag  int
		score, learn float64
	}{
		{"tagged", "none", 0, 0, 1, 1, 1}, {"tagged", "none", 55, 0, 0, 1, 0}, {"tagged", "none", 90, 0, 0, 1, 0},
		{"positives", "none", 55, 0, 0, 1, 1}, {"positives", "none", 90, 0, 0, 1, 0}, {"all", "none", 90, 0, 0, 1, 1},
		{"tagged", "balanced", 0, 0, 1, 1, 2.5}, {"tagged", "balanced", 10, 0, 2, 1, 0.625},
		{"tagged", "sqrt", 0, 0, 1, 1, 5.0 / 3}, {"tagged", "sqrt", 10, 0, 2, 1, 5.0 / 6},
		{"tagged", "sqrt", 70, 1, 0, 2, 2}, // no row of b has a tag: the empty one is all there is to learn
	} {
		o := &Options{TagLoss: c.loss, ClassWeights: c.class}
		score, tag := o.weights(tax, set).of(c.k, set[c.row].Labels[c.k], c.tag)
		if math.Abs(float64(score)-c.score) > 1e-5 || math.Abs(float64(tag)-c.learn) > 1e-5 {
			t.Errorf("%+v: %v %v", c, score, tag)
		}
	}
}

// TestTimeBudget: the schedule fits the time, and no time is an error.
func TestTimeBudget(t *testing.T) {
	dir := encodertest.Tiny(t)
	o := options(dir)
	o.Epochs, o.Patience, o.MaxMinutes = 1000, 0, 0.05
	began := time.Now()
	r := stagetest.MustRun(t, attempt(t, o))
	h := history(t, r)
	if n := len(h); n == 0 || n >= 1000 || !strings.Contains(r.Log, "shortened") {
		t.Errorf("%d epochs in %v\n%s", n, time.Since(began), r.Log)
	}
	o = options(dir)
	o.Deadline = "2001-01-01T00:00:00Z"
	late := stagetest.Run(t, attempt(t, o))
	if f := failure(t, late.Err); f.Code != stages.CodeStage || !strings.Contains(f.Error(), "not one step") {
		t.Errorf("got %v", late.Err)
	}
	o.Deadline = "tomorrow"
	if _, err := stagetest.Try(t, attempt(t, o)); err == nil {
		t.Error("tomorrow is taken for a time")
	}
}
