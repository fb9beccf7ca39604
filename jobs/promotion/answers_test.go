package promotion

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// saying answers the same about every text.
type saying struct{ scores []float32 }

func (s saying) Predict(_ context.Context, texts []classify.Text) ([]classify.Prediction, error) {
	return slices.Repeat([]classify.Prediction{{Scores: s.scores, Tags: make([]int32, len(s.scores))}}, len(texts)), nil
}

// TestSmokeDemands: only a model that itself gives finite scores passes.
func TestSmokeDemands(t *testing.T) {
	parsed, problems := taxonomy.Parse([]byte("categories: [{name: fire, rules: [{words: [fire]}]}, {name: money, rules: [{words: [bank]}]}]"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for name, c := range map[string]struct {
		model classify.Model
		says  string // empty if it passes
	}{
		"sane":     {saying{[]float32{0.5, -1}}, ""},
		"NaN":      {saying{[]float32{float32(math.NaN()), 0}}, "NaN"},
		"infinite": {saying{[]float32{0, float32(math.Inf(-1))}}, "Inf"},
		"keywords": {nil, "its keywords answer"},
	} {
		classifier := classify.New(parsed)
		classifier.Model, classifier.Thresholds = c.model, []float64{0.5, 0.5}
		err := smoke(t.Context(), classifier, "toy@1", "A text", "")
		if (err == nil) != (c.says == "") || err != nil && (!strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "the alias stays: toy@1 answers wrongly: about \"A text\"")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
