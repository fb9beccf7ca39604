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

// BenchmarkPredict answers about headlines with MiniLM and linear heads by ONNX Runtime and by
// our own kernels, which take turns: one headline, of which the median and the least count, and
// 2,000.
func BenchmarkPredict(b *testing.B) {
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
	m, err := bert.FromEncoder(enc, spec, 1)
	if err != nil {
		b.Fatal(err)
	}
	dev, err := device.Open(b.Context(), device.CPU, device.Options{CacheDir: encodertest.Cache()})
	if err != nil {
		b.Fatal(err)
	}
	defer dev.Close()
	xla, err := bert.NewPredictor(m, dev)
	if err != nil {
		b.Fatal(err)
	}
	defer xla.Close()
	onnx, err := ort.NewPredictor(open(b), m, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer onnx.Close()
	texts := bert.EncodeTexts(m, headlines(2_000), func(title string) (string, string) { return title, "" })
	took := func(p predictor, texts []bert.Text) float64 {
		began := time.Now()
		if _, err := p.Predict(b.Context(), texts); err != nil {
			b.Fatal(err)
		}
		return time.Since(began).Seconds()
	}
	var one, many [2][]float64
	for _, p := range []predictor{xla, onnx} {
		took(p, texts[:1])
		took(p, texts) // compiles
	}
	for b.Loop() {
		for i, p := range []predictor{xla, onnx} {
			for k := range 100 {
				one[i] = append(one[i], took(p, texts[k:k+1]))
			}
			many[i] = append(many[i], took(p, texts))
		}
	}
	middle := func(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }
	for i, name := range []string{"own", "ort"} {
		b.ReportMetric(1e3*middle(one[i]), "ms-"+name)
		b.ReportMetric(1e3*slices.Min(one[i]), "ms-least-"+name)
		b.ReportMetric(float64(len(texts))/middle(many[i]), "rows/s-"+name)
	}
	b.ReportMetric(middle(one[0])/middle(one[1]), "x-one")
	b.ReportMetric(middle(many[0])/middle(many[1]), "x-many")
}

type predictor interface {
	Predict(ctx context.Context, texts []bert.Text) ([]bert.Prediction, error)
}

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
