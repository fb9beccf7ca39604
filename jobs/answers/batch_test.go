package answers

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages/rows"
)

// paced takes a time for each batch, and notes how many texts it had.
type paced struct {
	takes time.Duration
	sizes []int
}

func (p *paced) Predict(_ context.Context, texts []classify.Text) ([]classify.Prediction, error) {
	p.sizes = append(p.sizes, len(texts))
	time.Sleep(p.takes)
	out := make([]classify.Prediction, len(texts))
	for i := range out {
		out[i] = classify.Prediction{Scores: []float32{0.5}, Tags: []int32{0}}
	}
	return out, nil
}

// TestBatchesOfSlowModels: a model that takes long for a batch is given small ones, so that
// a killed process has kept most of its answers; one that is fast is soon given many rows.
func TestBatchesOfSlowModels(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration
		kept  bool
		want  []int
	}{
		"slow":              {3 * time.Second, true, []int{256, 256, 256, 256}},
		"fast":              {0, true, []int{256, 512, 1024, 2048, 4096, 4096}},
		"fast, to a reader": {0, false, []int{256, 512, 1024, 1024}},
	} {
		synctest.Test(t, func(t *testing.T) {
			tax, _ := taxonomy.Parse([]byte("categories: [{name: fire, rules: [{words: [blaze]}]}]\n"))
			m := &paced{takes: c.takes}
			classifier := classify.New(tax)
			classifier.Model, classifier.Thresholds = m, []float64{0}
			var out bytes.Buffer
			w := &Writer{Classifier: classifier, Open: func() (Sink, error) {
				return NewSink(&out, Shape{Format: rows.JSONL, Taxonomy: tax})
			}}
			if c.kept {
				w.Keep = func(Counts) error { return nil }
			}
			for len(m.sizes) < len(c.want) {
				if err := w.Row(t.Context(), &rows.Row{Title: "Blaze"}); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(m.sizes, c.want) {
				t.Errorf("%s: batches of %d, want %d", name, m.sizes, c.want)
			}
		})
	}
}
