package classify

import (
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// TestLanguageOfTexts: whoever lets rules answer heeds the language that a text's source
// gives, and finds it out where there is none.
func TestLanguageOfTexts(t *testing.T) {
	tax, problems := taxonomy.Parse([]byte("categories: [{name: sports, rules: {sv: [{words: [straff, straffen]}]}}, {name: crime, rules: {nb: [{words: [straff]}]}}]"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	spec := bert.Spec{
		Categories: []bert.Category{{Name: "sports", Tags: []string{""}}, {Name: "crime", Tags: []string{""}}},
		Text:       []string{"title"}, RulesBonus: 5, Linear: true, RulesBeside: map[string]float64{"sports": 1, "crime": 1},
	}
	texts := []Text{{Title: "Straff", Language: "sv"}, {Title: "Straff", Language: "Norwegian"}, {Title: "Målvakten räddade straffen i sista minuten"}, {Title: "Straff", Language: "fi"}}
	want := []string{"sports", "crime", "sports", ""}
	answers, err := New(tax).Classify(t.Context(), texts, false)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range answers {
		if top := a.Top; top == nil && want[i] != "" || top != nil && *top != want[i] {
			t.Errorf("keywords: %+v is %+v, want %q", texts[i], a, want[i])
		}
	}
	for name, r := range map[string]ruler{"alone": newRulesAlone(spec, tax), "beside": newRulesBeside(spec, tax), "bonus": newRulesBonus(spec, tax)} {
		var p []Prediction
		for range texts {
			p = append(p, Prediction{Scores: []float32{-0.5, -0.5}, Tags: []int32{0, 0}})
		}
		r.answer(texts, p)
		for i := range texts {
			for c, category := range spec.Categories {
				if named := p[i].Named[c]; named != (category.Name == want[i]) {
					t.Errorf("%s: %+v: the rules name %s: %v", name, texts[i], category.Name, named)
				}
			}
		}
	}
}
