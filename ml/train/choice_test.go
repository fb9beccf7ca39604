package train

import (
	"math"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
)

func singleModel(t testing.TB, e *encoder.Encoder) *bert.Model {
	t.Helper()
	m, err := bert.FromEncoder(e, bert.Spec{Categories: categories, Pooling: bert.Mean, HeadHidden: 16, MaxLength: 24, Text: []string{"title"}, Single: true, None: true}, 7)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// choices are rows whose categories exclude each other: those of both are half each,
// those of neither have none.
func choices(n int, seed uint64) []Example {
	out := rows(n, seed)
	for i := range out {
		e := &out[i]
		a, b := e.Score[0], e.Score[1]
		e.TagWeight = []float32{a, b}
		e.Score = []float32{a * (1 - b/2), b * (1 - a/2), (1 - a) * (1 - b)}
		e.Weight = []float32{1, 1.5, 1}
	}
	return out
}

// TestSingleLearns: one softmax learns the three answers, from a loss at chance, and the
// evaluation's loss is the cross entropy of its log probabilities.
func TestSingleLearns(t *testing.T) {
	e, d := tiny(t), xla(t)
	o := options()
	o.Epochs, o.LearningRate, o.Dropout = 60, 5e-3, 0
	val := choices(64, 2)
	tr := start(t, singleModel(t, e), d, choices(256, 1), val, o)
	before, err := tr.Validate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for c, h := range before.Heads {
		if math.Abs(h.Score-math.Log(3)) > 0.1 {
			t.Errorf("output %d begins at %.3f, chance is %.3f", c, h.Score, math.Log(3))
		}
	}
	steps(t, tr, tr.Total())
	after, err := tr.Validate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wrong, loss := 0, 0.0
	for i, v := range val {
		sum, best := 0.0, 0
		for c, x := range after.Scores[i] {
			sum += math.Exp(float64(x))
			loss -= o.ScoreWeight * float64(v.Weight[c]*v.Score[c]*x)
			if x > after.Scores[i][best] {
				best = c
			}
		}
		if math.Abs(sum-1) > 1e-5 {
			t.Fatalf("row %d: probabilities sum to %v", i, sum)
		}
		if v.Score[best] == 0 {
			wrong++
		}
	}
	for c, h := range after.Heads[:2] {
		for _, v := range val {
			loss += o.TagWeight * h.Tag * float64(v.TagWeight[c])
		}
	}
	if wrong > 8 || after.Loss > before.Loss*0.7 {
		t.Errorf("%d of 64 answers wrong, loss %.3f -> %.3f", wrong, before.Loss, after.Loss)
	}
	if loss /= 64; math.Abs(loss-after.Loss) > 1e-4 {
		t.Errorf("the loss is %v, the sum of its parts %v", after.Loss, loss)
	}
}

// TestSingleResume: a resumed fit of a single model ends with the same bytes, in
// accumulation steps too.
func TestSingleResume(t *testing.T) {
	e, d := tiny(t), xla(t)
	o := options()
	o.Smoothing, o.Accumulate, o.Epochs = 0.1, 2, 2
	fresh := func() *Trainer { return start(t, singleModel(t, e), d, choices(64, 1), choices(16, 2), o) }
	whole, first, second := fresh(), fresh(), fresh()
	want, _ := fit(t, whole)
	steps(t, first, 3)
	dir := t.TempDir()
	if err := first.Save(dir); err != nil {
		t.Fatal(err)
	}
	if err := second.Restore(dir); err != nil {
		t.Fatal(err)
	}
	if got, _ := fit(t, second); !equal(want, got) {
		t.Error("the weights differ")
	}
}

// TestSingleDevices: XLA and the pure-Go device make the same first steps.
func TestSingleDevices(t *testing.T) {
	if !device.HasXLA {
		t.Skip("there is one device alone")
	}
	pure, err := device.Open(t.Context(), device.Go, device.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pure.Close()
	o := options()
	o.Dropout, o.Smoothing = 0, 0.1
	var losses [][]float64
	for _, d := range []*device.Device{xla(t), pure} {
		losses = append(losses, steps(t, start(t, singleModel(t, tiny(t)), d, choices(32, 1), choices(8, 2), o), 3))
	}
	if f := far(losses[0], losses[1]); f > 1e-4 {
		t.Errorf("losses %v lie %v apart", losses, f)
	}
}
