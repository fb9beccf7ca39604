package ort_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/ml/onnx/ort"
)

// BenchmarkOne answers about one headline with MiniLM and nine linear heads, by our own
// kernels, by this package and by the device's programs, beside the library's bare run on ids
// that are in its inputs. They take turns of 50 headlines, and all answer about the same; a
// headline's ratio is that of its medians, and the figure the median of those.
func BenchmarkOne(b *testing.B) {
	m, own, onnx := predictors(b)
	programs := byPrograms(b, m)
	texts := bert.EncodeTexts(m, headlines(50), titled)
	var bare []func() error
	for _, t := range texts {
		bare = append(bare, onnx.Ready(t))
	}
	by := func(p predictor) func(i int) error {
		return func(i int) error { _, err := p.Predict(b.Context(), texts[i:i+1]); return err }
	}
	names := []string{"bare", "own", "ort", "xla"}
	ways := []func(i int) error{func(i int) error { return bare[i]() }, by(own), by(onnx), by(programs)}
	took := make([][][]float64, len(ways)) // milliseconds, by headline
	turn := func(keep bool) {
		for w, run := range ways {
			for i := range texts {
				began := time.Now()
				if err := run(i); err != nil {
					b.Fatal(err)
				}
				if keep {
					took[w][i] = append(took[w][i], 1e3*time.Since(began).Seconds())
				}
			}
		}
	}
	for w := range took {
		took[w] = make([][]float64, len(texts))
	}
	turn(false) // compiles
	for b.Loop() {
		turn(true)
	}
	for w, name := range names {
		var ratios, least []float64
		for i, all := range took[w] {
			ratios, least = append(ratios, middle(all)/middle(took[0][i])), append(least, slices.Min(all)/slices.Min(took[0][i]))
		}
		b.ReportMetric(middle(slices.Concat(took[w]...)), "p50-ms-"+name)
		if w > 0 {
			b.ReportMetric(middle(ratios), "x-"+name)
			b.ReportMetric(middle(least), "x-least-"+name)
		}
	}
}

// BenchmarkMany answers about 2,000 headlines with the same by our own kernels and by this
// package, which take turns.
func BenchmarkMany(b *testing.B) {
	m, own, onnx := predictors(b)
	texts := bert.EncodeTexts(m, headlines(2_000), titled)
	var took [2][]float64
	turn := func(keep bool) {
		for i, p := range []predictor{own, onnx} {
			began := time.Now()
			if _, err := p.Predict(b.Context(), texts); err != nil {
				b.Fatal(err)
			}
			if keep {
				took[i] = append(took[i], time.Since(began).Seconds())
			}
		}
	}
	turn(false)
	for b.Loop() {
		turn(true)
	}
	for i, name := range []string{"own", "ort"} {
		b.ReportMetric(float64(len(texts))/middle(took[i]), "rows/s-"+name)
	}
	b.ReportMetric(middle(took[1])/middle(took[0]), "x-ort")
}

type predictor interface {
	Predict(ctx context.Context, texts []bert.Text) ([]bert.Prediction, error)
}

// predictors are our own kernels and this package for MiniLM with nine linear heads.
func predictors(b *testing.B) (m *bert.Model, own predictor, onnx *ort.Predictor) {
	b.Helper()
	if !device.HasXLA || !ort.Available {
		b.Skip("this build has no XLA or no ONNX Runtime")
	}
	enc, err := encoder.Load(encodertest.MiniLM(b))
	if err != nil {
		b.Fatal(err)
	}
	spec := bert.Spec{Linear: true, Pooling: bert.Mean, MaxLength: 128, Text: []string{"title"}}
	for i := range 9 {
		spec.Categories = append(spec.Categories, bert.Category{Name: fmt.Sprint(i), Tags: []string{""}})
	}
	if m, err = bert.FromEncoder(enc, spec, 1); err != nil {
		b.Fatal(err)
	}
	if onnx, err = ort.NewPredictor(open(b), m, 0); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(onnx.Close)
	return m, onDevice(b, m, cpu(b)), onnx
}

// byPrograms is a predictor by XLA's programs, as all devices have that are no processor.
func byPrograms(b *testing.B, m *bert.Model) predictor {
	b.Helper()
	dev := *cpu(b)
	dev.Name = device.CUDA
	return onDevice(b, m, &dev)
}

func cpu(b *testing.B) *device.Device {
	b.Helper()
	dev, err := device.Open(b.Context(), device.CPU, device.Options{CacheDir: encodertest.Cache()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { dev.Close() })
	return dev
}

func onDevice(b *testing.B, m *bert.Model, dev *device.Device) predictor {
	b.Helper()
	p, err := bert.NewPredictor(m, dev)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.Close)
	return p
}

func middle(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }

func titled(title string) (string, string) { return title, "" }

// headlines are made up, of the lengths that Swedish ones have.
func headlines(n int) []string {
	rng := rand.New(rand.NewPCG(1, 1))
	words := []string{"regeringen", "vill", "brand", "i", "Göteborg", "efter", "olycka", "polisen", "söker", "ny", "match", "stormen", "på", "väg"}
	out := make([]string, n)
	for i := range out {
		for range 4 + rng.IntN(8) {
			out[i] += words[rng.IntN(len(words))] + " "
		}
	}
	return out
}
