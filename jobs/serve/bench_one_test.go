package serve

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/ml/onnx/ort"
)

// byRuntime is a model in ONNX Runtime.
type byRuntime struct{ *ort.Predictor }

func (m byRuntime) Predict(ctx context.Context, texts []classify.Text) ([]classify.Prediction, error) {
	return m.Predictor.Predict(ctx, bert.EncodeTexts(m.Model(), texts, func(t classify.Text) (title, description string) { return t.Title, t.Description }))
}

func (m byRuntime) Tokens(t classify.Text) int {
	ids, _ := m.Model().Encode(t.Title, t.Description)
	return len(ids)
}

// BenchmarkOneHeadline: how long one client waits for the answer about one headline, over
// loopback, by either backend, beside ONNX Runtime alone on ids that are ready. They take turns
// of 50 headlines; a headline's ratio is that of its medians, and the figure the median of those.
func BenchmarkOneHeadline(b *testing.B) {
	if !ort.Available {
		b.Skip(ort.WhyNot)
	}
	m := linearMiniLM(b)
	library, err := ort.Open(b.Context(), ort.Options{CacheDir: encodertest.Cache()})
	if err != nil {
		b.Fatal(err)
	}
	onnx, err := ort.NewPredictor(library, m, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer onnx.Close()
	titles := headlines(50)
	ready := bert.EncodeTexts(m, titles, func(title string) (string, string) { return title, "" })
	names := []string{"bare", "device", "onnx"}
	ways := []func(i int) error{
		func(i int) error { _, err := onnx.Predict(b.Context(), ready[i:i+1]); return err },
		overLoopback(b, computed(b, m, device.Auto), titles), overLoopback(b, byRuntime{onnx}, titles),
	}
	took := make([][][]float64, len(ways)) // milliseconds, by headline
	for w := range took {
		took[w] = make([][]float64, len(titles))
	}
	turn := func() {
		for w, ask := range ways {
			for i := range titles {
				began := time.Now()
				if err := ask(i); err != nil {
					b.Fatal(err)
				}
				took[w][i] = append(took[w][i], 1e3*time.Since(began).Seconds())
			}
		}
	}
	turn()
	for b.Loop() {
		turn()
	}
	middle := func(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }
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

// linearMiniLM is MiniLM with linear heads for the categories of lettersClassifier.
func linearMiniLM(b *testing.B) *bert.Model {
	b.Helper()
	e, err := encoder.Load(encodertest.MiniLM(b))
	if err != nil {
		b.Fatal(err)
	}
	spec := bert.Spec{Categories: []bert.Category{{Name: "fire", Tags: []string{"", "big"}}, {Name: "money", Tags: []string{""}}}, Linear: true, Pooling: bert.Mean, MaxLength: 128, Text: []string{"title", "description"}}
	m, err := bert.FromEncoder(e, spec, 1)
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// overLoopback asks a server of a model about one of the titles.
func overLoopback(b *testing.B, m classify.Model, titles []string) func(i int) error {
	b.Helper()
	url := served(b, m) + path
	return func(i int) error {
		reply, err := http.Post(url, "application/json", strings.NewReader(`{"title":"`+titles[i]+`"}`))
		if err != nil {
			return err
		}
		defer reply.Body.Close()
		if _, err = io.Copy(io.Discard, reply.Body); err == nil && reply.StatusCode != http.StatusOK {
			err = fmt.Errorf("code %d", reply.StatusCode)
		}
		return err
	}
}
