package ort_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/ml/onnx/onnxtest"
	"github.com/sprint-ml/sprint/ml/onnx/ort"
)

func open(t testing.TB) *ort.Library {
	t.Helper()
	if !ort.Available {
		t.Skip(ort.WhyNot)
	}
	l, err := ort.Open(context.Background(), ort.Options{CacheDir: encodertest.Cache()})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// farthest is the largest difference of two answers; they are of one tag each, but where
// both are as good.
func farthest(t *testing.T, a, b []bert.Prediction) float64 {
	t.Helper()
	far := 0.0
	for i := range a {
		if !slices.Equal(a[i].Tags, b[i].Tags) || a[i].Logistic != b[i].Logistic || len(a[i].Scores) != len(b[i].Scores) {
			t.Errorf("text %d: %+v, want %+v", i, b[i], a[i])
			continue
		}
		far = max(far, math.Abs(float64(a[i].None-b[i].None)))
		for c, x := range a[i].Scores {
			if d := math.Abs(float64(x - b[i].Scores[c])); !(d <= far) {
				far = d
			}
		}
	}
	return far
}

// TestPredict: ONNX Runtime answers as GoMLX does, whatever the model is made of; from several
// goroutines too.
func TestPredict(t *testing.T) {
	l := open(t)
	dev, err := device.Open(t.Context(), device.Go, device.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range onnxtest.Models(t) {
		t.Run(name, func(t *testing.T) {
			texts := onnxtest.Texts(m)
			ours, err := bert.NewPredictor(m, dev)
			if err != nil {
				t.Fatal(err)
			}
			defer ours.Close()
			want, err := ours.Predict(t.Context(), texts)
			if err != nil {
				t.Fatal(err)
			}
			p, err := ort.NewPredictor(l, m, 2)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() {
					got, err := p.Predict(t.Context(), texts)
					if err != nil {
						t.Error(err)
						return
					}
					if far := farthest(t, want, got); far > 1e-5 {
						t.Errorf("scores differ by %.2g", far)
					}
				})
			}
			all.Wait()
			least, most := want[0].Scores[0], want[0].Scores[0]
			for _, p := range want {
				least, most = min(least, p.Scores[0]), max(most, p.Scores[0])
			}
			if most-least < 0.01 {
				t.Errorf("the model's scores are from %v to %v: nothing was compared", least, most)
			}
		})
	}
}

// TestCancel: a prediction ends between batches, with the context's error.
func TestCancel(t *testing.T) {
	m := onnxtest.Models(t)["mean"]
	p, err := ort.NewPredictor(open(t), m, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Predict(ctx, onnxtest.Texts(m)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestRefuses: ids that the model has no words of are an error, and so is the model of
// another family.
func TestRefuses(t *testing.T) {
	l, m := open(t), onnxtest.Models(t)["mean"]
	p, err := ort.NewPredictor(l, m, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Predict(t.Context(), []bert.Text{{IDs: []int32{1 << 20}, Types: []int32{0}}}); err == nil {
		t.Error("a word that is not there was answered")
	}
	if got, err := p.Predict(t.Context(), onnxtest.Texts(m)[:3]); err != nil || len(got) != 3 {
		t.Errorf("after an error: %v", err)
	}
	other := *m
	other.Spec.Encoder.ModelType = "deberta"
	if _, err := ort.NewPredictor(l, &other, 1); err == nil {
		t.Error("a family that is not known was taken")
	}
}
