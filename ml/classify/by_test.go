package classify

import (
	"context"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
)

// ruled answers as a network would, and then lets rules weigh in.
type ruled struct {
	scores []float32
	none   float32
	rules  []ruler
	// logistic is bert.Prediction's.
	logistic bool
}

func (r ruled) Predict(_ context.Context, texts []Text) ([]Prediction, error) {
	out := make([]Prediction, len(texts))
	for i := range out {
		out[i] = Prediction{Scores: append([]float32(nil), r.scores...), Tags: []int32{0, 0}, None: r.none, Logistic: r.logistic}
	}
	for _, x := range r.rules {
		x.answer(texts, out)
	}
	return out, nil
}

// TestBy: an answer says whether the model, the rules or both gave it.
func TestBy(t *testing.T) {
	categories := []bert.Category{{Name: "emergencies", Tags: []string{"", "fire"}}, {Name: "sports", Tags: []string{""}}}
	single := bert.Spec{Categories: categories, Text: []string{"title"}, Single: true, None: true, RulesBonus: 2}
	several := bert.Spec{Categories: categories, Text: []string{"title"}, Linear: true, RulesBonus: 2}
	alone, alone1 := several, single
	alone.RulesAlone, alone1.RulesAlone = true, true
	beside := bert.Spec{Categories: categories, Text: []string{"title"}, RulesBeside: map[string]float64{"emergencies": 0.8}}
	for name, c := range map[string]struct {
		spec   bert.Spec
		scores []float32
		none   float32
		title  string
		want   map[string]string
	}{
		"single, both":         {single, []float32{0.6, -0.6}, 0, "A fire", map[string]string{"emergencies": ByBoth}},
		"single, rules":        {single, []float32{-0.4, 0.4}, 0, "A fire", map[string]string{"emergencies": ByRules}},
		"single, model":        {single, []float32{0.6, -0.6}, 0, "calm", map[string]string{"emergencies": ByModel}},
		"single, overruled":    {single, []float32{-0.99, 0.99}, 0, "A fire", map[string]string{"sports": ByModel}},
		"several, both":        {several, []float32{0.6, 0.99}, 0, "A fire", map[string]string{"emergencies": ByBoth, "sports": ByModel}},
		"several, rules":       {several, []float32{0.1, 0.6}, 0, "A fire", map[string]string{"emergencies": ByRules}},
		"several, model":       {several, []float32{0.6, 0.6}, 0, "calm", map[string]string{"emergencies": ByModel, "sports": ByModel}},
		"alone":                {alone, []float32{0.9, 0.9}, 0, "A fire", map[string]string{"emergencies": ByRules}},
		"alone, none fires":    {alone, []float32{0.9, 0.9}, 0, "calm", map[string]string{}},
		"alone, one category":  {alone1, []float32{-0.9, 0.9}, 0, "A fire", map[string]string{"emergencies": ByRules}},
		"alone, one, no rule":  {alone1, []float32{-0.9, 0.9}, 0, "calm", map[string]string{}},
		"beside, rules":        {beside, []float32{0.1, 0.9}, 0, "A fire", map[string]string{"emergencies": ByRules, "sports": ByModel}},
		"beside, both":         {beside, []float32{0.9, 0.1}, 0, "A fire", map[string]string{"emergencies": ByBoth}},
		"beside, model":        {beside, []float32{0.9, 0.1}, 0, "calm", map[string]string{"emergencies": ByModel}},
		"beside, of its own":   {beside, []float32{0.1, 0.9}, 0, "The cup", map[string]string{"sports": ByModel}},
		"alone, both disagree": {alone1, []float32{-0.9, 0.9}, 0, "A fire at the cup", map[string]string{"sports": ByRules}},
	} {
		tax := parsed(t)
		tax.Single = c.spec.Single
		model := New(tax)
		model.Model, model.Thresholds = ruled{scores: c.scores, none: c.none, rules: rulers(c.spec, tax)}, []float64{0.5, 0.5}
		got, err := model.Classify(t.Context(), []Text{{Title: c.title}}, false)
		if err != nil {
			t.Fatal(err)
		}
		for category, s := range got[0].Categories {
			if s.By == "" || s.By != c.want[category] {
				t.Errorf("%s: %s is by %q, want %q", name, category, s.By, c.want[category])
			}
		}
		if len(got[0].Categories) != len(c.want) {
			t.Errorf("%s: %v, want %v", name, got[0].Categories, c.want)
		}
	}
}

// TestProbabilityOfEach: an answer of linear heads has the probability behind each score,
// with what the rules add; where rules answer alone there is none.
func TestProbabilityOfEach(t *testing.T) {
	categories := []bert.Category{{Name: "emergencies", Tags: []string{"", "fire"}}, {Name: "sports", Tags: []string{""}}}
	tax := parsed(t)
	model := New(tax)
	model.Thresholds = []float64{0.5, 0.5}
	spec := bert.Spec{Categories: categories, Text: []string{"title"}, Linear: true}
	for _, alone := range []bool{false, true} {
		spec.RulesAlone = alone
		model.Model = ruled{scores: []float32{0.6, -0.2}, rules: rulers(spec, tax), logistic: spec.Logistic()}
		got, err := model.Classify(t.Context(), []Text{{Title: "A fire"}}, true)
		if err != nil {
			t.Fatal(err)
		}
		p, q := got[0].Categories["emergencies"].Probability, got[0].Categories["sports"].Probability
		if alone && (p != nil || q != nil) || !alone && (p == nil || *p != 0.8 || q == nil || *q != 0.4) {
			t.Errorf("rules alone %v: probabilities %v, %v", alone, p, q)
		}
	}
}
