package classify

import (
	"math"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
)

// TestRulesWeighIn: where rules name a category its odds grow by e to the bonus, which
// tips an answer in doubt and not one that is sure; rules that disagree share it.
func TestRulesWeighIn(t *testing.T) {
	tax := parsed(t)
	tax.Single = true
	spec := bert.Spec{
		Categories: []bert.Category{{Name: "emergencies", Tags: []string{"", "fire"}}, {Name: "sports", Tags: []string{""}}},
		Text:       []string{"title"}, Single: true, None: true, Temperature: 3, RulesBonus: 2,
	}
	odds := func(p float64) float64 { return p / (1 - p) }
	for name, c := range map[string]struct {
		title string
		p     float32 // of emergencies, the rest is of sports
		top   int
		odds  float64
		tag   int32
	}{
		"no rule":        {"calm", 0.3, 1, odds(0.3), 0},
		"in doubt":       {"A fire", 0.3, 0, odds(0.3) * math.Exp(2), 1},
		"sure":           {"A fire", 0.05, 1, odds(0.05) * math.Exp(2), 1},
		"the other":      {"The cup", 0.3, 1, odds(0.3) / math.Exp(2), 0},
		"they disagree":  {"A fire at the cup", 0.6, 1, odds(0.6) * math.Exp(2*(0.4-1)/1.4), 1}, // their weights are 0.4 and 1
		"no description": {"calm", 0.3, 1, odds(0.3), 0},
	} {
		p := []Prediction{{Scores: []float32{2*c.p - 1, 1 - 2*c.p}, Tags: []int32{0, 0}}}
		newRulesBonus(spec, tax).answer([]Text{{Title: c.title, Description: "A fire"}}, p)
		got := odds((float64(p[0].Scores[0]) + 1) / 2)
		if top, _ := p[0].Top(); top != c.top || math.Abs(got/c.odds-1) > 1e-3 || p[0].Tags[0] != c.tag {
			t.Errorf("%s: %d with odds %v and tag %d, want %d with %v and %d", name, top, got, p[0].Tags[0], c.top, c.odds, c.tag)
		}
	}
}

// TestRulesMoveLogits: where a row may have several categories the logits of those that
// rules name rise by the bonus and the others fall; without a rule nothing moves.
func TestRulesMoveLogits(t *testing.T) {
	tax := parsed(t)
	spec := bert.Spec{
		Categories: []bert.Category{{Name: "emergencies", Tags: []string{"", "fire"}}, {Name: "sports", Tags: []string{""}}},
		Text:       []string{"title"}, Linear: true, RulesBonus: 2,
	}
	score := func(logit float64) float32 { return float32(2/(1+math.Exp(-logit)) - 1) }
	for title, want := range map[string][]float64{"calm": {-1, 0.5}, "A fire": {1, -1.5}, "A fire at the cup": {1, 2.5}} {
		p := []Prediction{{Scores: []float32{score(-1), score(0.5)}, Tags: []int32{0, 0}}}
		newRulesBonus(spec, tax).answer([]Text{{Title: title}}, p)
		for c, logit := range want {
			if math.Abs(float64(p[0].Scores[c]-score(logit))) > 1e-5 {
				t.Errorf("%s: category %d has the score %v, want that of the logit %v", title, c, p[0].Scores[c], logit)
			}
		}
		if title == "A fire" && (p[0].Tags[0] != 1 || p[0].Model.Scores[0] != score(-1) || p[0].Named[1]) {
			t.Errorf("%s: %+v", title, p[0])
		}
	}
}
