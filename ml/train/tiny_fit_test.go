package train

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

// tiny is a random BERT of two layers.
func tiny(t testing.TB) *encoder.Encoder {
	t.Helper()
	e, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var categories = []bert.Category{{Name: "a", Tags: []string{"", "x", "y"}}, {Name: "b", Tags: []string{"", "z"}}}

func model(t testing.TB, e *encoder.Encoder, pooling string) *bert.Model {
	t.Helper()
	m, err := bert.FromEncoder(e, bert.Spec{Categories: categories, Pooling: pooling, HeadHidden: 16, MaxLength: 24, Text: []string{"title"}}, 7)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// rows are texts of random words; word 10 makes category a (tag x if word 11 is
// there too, else y), word 20 category b.
func rows(n int, seed uint64) []Example {
	rng := rand.New(rand.NewPCG(seed, 1))
	out := make([]Example, n)
	for i := range out {
		e := Example{IDs: []int32{2}, Score: make([]float32, 2), Tag: make([]int32, 2), Weight: []float32{1, 1}}
		for range 3 + rng.IntN(12) {
			e.IDs = append(e.IDs, int32(25+rng.IntN(30)))
		}
		at := func() int { return 1 + rng.IntN(len(e.IDs)-1) }
		if i%2 == 0 {
			e.Score[0], e.Tag[0] = 1, 2
			e.IDs[at()] = 10
			if i%4 == 0 {
				e.IDs = append(e.IDs, 11)
				e.Tag[0] = 1
			}
		}
		if i%3 == 0 {
			e.Score[1], e.Tag[1] = 1, 1
			e.IDs = append(e.IDs, 20)
		}
		e.IDs = append(e.IDs, 3)
		e.Types = make([]int32, len(e.IDs))
		out[i] = e
	}
	return out
}

func options() Options {
	return Options{Epochs: 4, BatchSize: 16, BatchTokens: 512, MaxShapes: 1, LearningRate: 3e-3, HeadScale: 1, LayerDecay: 1, Warmup: 0.1, Schedule: "linear",
		WeightDecay: 0.01, Clip: 1, Dropout: 0.1, ScoreWeight: 0.5, TagWeight: 0.5, Seed: 11}
}

// xla opens the CPU plugin, which the first test of a machine fetches.
func xla(t testing.TB) *device.Device {
	t.Helper()
	cache := encodertest.Cache()
	name := device.CPU
	if !device.HasXLA {
		name = device.Go
	}
	d, err := device.Open(t.Context(), name, device.Options{CacheDir: cache})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func start(t testing.TB, m *bert.Model, d *device.Device, train, val []Example, o Options) *Trainer {
	t.Helper()
	tr, err := New(m, d, train, val, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	if err := tr.Compile(context.Background(), func(int, int) {}); err != nil {
		t.Fatal(err)
	}
	return tr
}

// steps runs until the trainer has done n steps.
func steps(t testing.TB, tr *Trainer, n int) (losses []float64) {
	t.Helper()
	for tr.StepsDone() < n {
		if tr.EpochOver() {
			tr.NextEpoch()
		}
		loss, _, err := tr.Step()
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, loss)
	}
	return losses
}

func equal(a, b [][]float32) bool {
	return slices.EqualFunc(a, b, func(x, y []float32) bool { return slices.Equal(x, y) })
}

// fit runs a whole fit and returns its weights and losses.
func fit(t testing.TB, tr *Trainer) (weights [][]float32, losses []float64) {
	t.Helper()
	losses = steps(t, tr, tr.Total())
	weights, err := tr.Weights()
	if err != nil {
		t.Fatal(err)
	}
	return weights, losses
}

// far is the largest relative distance.
func far(a, b []float64) float64 {
	worst := 0.0
	for i := range a {
		worst = max(worst, math.Abs(a[i]-b[i])/math.Max(math.Abs(b[i]), 1e-9))
	}
	return worst
}
