package train

import (
	"errors"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
)

// TestLearns compares with chance: a fresh network answers each score with 0.
func TestLearns(t *testing.T) {
	e, d := tiny(t), xla(t)
	for pooling, rate := range map[string]float64{bert.Mean: 5e-3, bert.Pooler: 2e-3} {
		o := options()
		o.Epochs, o.LearningRate, o.Dropout = 40, rate, 0
		tr := start(t, model(t, e, pooling), d, rows(256, 1), rows(64, 2), o)
		before, err := tr.Validate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		steps(t, tr, tr.Total())
		after, err := tr.Validate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		wrong := 0
		for i, v := range rows(64, 2) {
			for c := range categories {
				if (after.Scores[i][c] >= 0.5) != (v.Score[c] > 0) || v.Score[c] > 0 && after.Tags[i][c] != v.Tag[c] {
					wrong++
				}
			}
		}
		if after.Loss > before.Loss/4 || wrong > 24 {
			t.Errorf("%s: loss %.3f -> %.3f, %d of 128 answers wrong", pooling, before.Loss, after.Loss, wrong)
		}
	}
}

// TestMaskedTargetsDoNotCount: what stands behind a weight of 0 changes nothing.
func TestMaskedTargetsDoNotCount(t *testing.T) {
	e, d := tiny(t), xla(t)
	train := rows(32, 1)
	for i := range train {
		train[i].Weight[1] = 0
	}
	a := start(t, model(t, e, bert.Mean), d, train, rows(8, 2), options())
	steps(t, a, 6)
	changed := rows(32, 1)
	for i := range changed {
		changed[i].Weight[1], changed[i].Score[1], changed[i].Tag[1] = 0, -1, 0
	}
	b := start(t, model(t, e, bert.Mean), d, changed, rows(8, 2), options())
	steps(t, b, 6)
	x, err := a.Weights()
	if err != nil {
		t.Fatal(err)
	}
	y, err := b.Weights()
	if err != nil {
		t.Fatal(err)
	}
	if !equal(x, y) {
		t.Error("masked targets changed the weights")
	}
}

// TestDiverging: a loss that is no number names its step and batch.
func TestDiverging(t *testing.T) {
	o := options()
	o.LearningRate, o.Clip, o.Warmup = 1e30, 0, 0
	tr := start(t, model(t, tiny(t), bert.Mean), xla(t), rows(32, 1), rows(8, 2), o)
	for !tr.Done() {
		if tr.EpochOver() {
			tr.NextEpoch()
			continue
		}
		if _, _, err := tr.Step(); err != nil {
			var nan *NonFiniteError
			if !errors.As(err, &nan) || nan.Step == 0 || nan.Batch == 0 {
				t.Fatalf("%v", err)
			}
			return
		}
	}
	t.Fatal("a learning rate of 1e30 did not diverge")
}

// TestFrozen: frozen weights are not fitted.
func TestFrozen(t *testing.T) {
	o := options()
	o.FreezeLayers = 1
	tr := start(t, model(t, tiny(t), bert.Mean), xla(t), rows(32, 1), rows(8, 2), o)
	for _, p := range tr.Trainable() {
		if p.Layer < 1 {
			t.Errorf("%s of layer %d is fitted", p.Name, p.Layer)
		}
	}
	if l := steps(t, tr, 4); l[3] >= l[0]*1.5 {
		t.Errorf("losses %v", l)
	}
}

// TestWarmUp: running everything once before the first step changes nothing
// after a restore, and a shorter fit has a schedule of its own.
func TestWarmUp(t *testing.T) {
	e, d := tiny(t), xla(t)
	tr := start(t, model(t, e, bert.Mean), d, rows(64, 1), rows(16, 2), options())
	dir := t.TempDir()
	if err := tr.Save(dir); err != nil {
		t.Fatal(err)
	}
	want, _ := fit(t, tr)
	if err := tr.Restore(dir); err != nil {
		t.Fatal(err)
	}
	epoch, validation, loss, err := tr.WarmUp(t.Context(), func(int, int) {})
	if err != nil || epoch <= 0 || validation <= 0 || loss <= 0 {
		t.Fatalf("%v %v %v %v", epoch, validation, loss, err)
	}
	if err := tr.Restore(dir); err != nil {
		t.Fatal(err)
	}
	got, _ := fit(t, tr)
	if !equal(got, want) {
		t.Error("the weights differ")
	}
	short := tr
	if err := short.Restore(dir); err != nil {
		t.Fatal(err)
	}
	short.Limit(6)
	n := 0
	for !short.Done() {
		for !short.EpochOver() {
			if _, _, err := short.Step(); err != nil {
				t.Fatal(err)
			}
			n++
		}
		short.NextEpoch()
	}
	if rate := short.o.learningRate(5, short.total); n != 6 || rate > short.o.LearningRate/3 {
		t.Errorf("%d steps, the last at a rate of %v", n, rate)
	}
}

// TestHalfPrecision: bfloat16 learns the same, not to the digit.
func TestHalfPrecision(t *testing.T) {
	e, d := tiny(t), xla(t)
	o := options()
	o.Dropout = 0
	_, want := fit(t, start(t, model(t, e, bert.Mean), d, rows(64, 1), rows(16, 2), o))
	o.Half = true
	_, got := fit(t, start(t, model(t, e, bert.Mean), d, rows(64, 1), rows(16, 2), o))
	if worst := far(got, want); worst > 0.1 || worst == 0 {
		t.Errorf("losses differ by %v:\n%v\n%v", worst, want, got)
	}
}
