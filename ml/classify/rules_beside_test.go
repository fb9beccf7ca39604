package classify

import (
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/metrics"
)

// TestRulesDecide lets a model that is always wrong meet rules: for the
// category that it leaves to them a rule that fires decides, with its tag, and
// elsewhere the model counts from a score of its own.
func TestRulesDecide(t *testing.T) {
	tax := parsed(t)
	spec := bert.Spec{
		Categories: []bert.Category{{Name: "emergencies", Tags: []string{"", "fire"}}, {Name: "sports", Tags: []string{""}}},
		Text:       []string{"title", "description"}, RulesBeside: map[string]float64{"emergencies": 0.8},
	}
	for name, c := range map[string]struct {
		text  Text
		score float32
		never bool
		yes   bool
		tag   int32
	}{
		"a rule fires":                  {Text{Title: "Fire in town"}, -0.9, false, true, 1},
		"in the description":            {Text{Title: "Town", Description: "A fire"}, -0.9, false, true, 1},
		"none fires":                    {Text{Title: "Calm in town"}, 0.79, false, false, 0},
		"none fires, the model is sure": {Text{Title: "Calm in town"}, 0.81, false, true, 0},
		"none fires, it never counts":   {Text{Title: "Calm in town"}, 1, true, false, 0},
	} {
		s := spec
		if c.never {
			s.RulesBeside = map[string]float64{"emergencies": metrics.Never}
		}
		p := []Prediction{{Scores: []float32{c.score, 0.3}, Tags: []int32{0, 0}}}
		newRulesBeside(s, tax).answer([]Text{c.text}, p)
		if got := p[0].Scores[0]; (got >= RuleThreshold) != c.yes || got < -1 || got > 1 || p[0].Tags[0] != c.tag {
			t.Errorf("%s: score %v, tag %d; want yes %v, tag %d", name, got, p[0].Tags[0], c.yes, c.tag)
		}
		if p[0].Scores[1] != 0.3 {
			t.Errorf("%s: the category of the model alone got %v", name, p[0].Scores[1])
		}
	}
	spec.Text, spec.RulesBeside = spec.Text[:1], map[string]float64{"emergencies": 0.8}
	p := []Prediction{{Scores: []float32{-0.9, 0}, Tags: []int32{0, 0}}}
	if newRulesBeside(spec, tax).answer([]Text{{Title: "Town", Description: "A fire"}}, p); p[0].Scores[0] >= RuleThreshold {
		t.Error("a model of titles answered by a description")
	}
}

// TestBesideKeepsOrder: moving scores keeps their order and range.
func TestBesideKeepsOrder(t *testing.T) {
	for _, from := range []float64{-0.5, 0, 0.5, 0.9, 1, metrics.Never} {
		last := -2.0
		for i := -100; i <= 100; i++ {
			s := float64(i) / 100
			got := rescale(s, from)
			if got <= last || got < -1 || got > 1 || (s >= from) != (got >= RuleThreshold) {
				t.Fatalf("from %v: %v becomes %v after %v", from, s, got, last)
			}
			last = got
		}
	}
}
