package classify

import (
	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// RuleThreshold is the threshold of categories for which rules answer too: their
// scores are moved so that it divides yes from no.
const RuleThreshold = 0.5

// rulesBeside lets the rules of a taxonomy answer beside a model. A rule that
// fires decides; elsewhere the model says yes from a score of its own on.
type rulesBeside struct {
	matcher    *keywords.Matcher
	categories []int     // by index
	from       []float64 // the model's score that counts, by category
	title      bool      // the model reads titles alone, so the rules do too
}

func newRulesBeside(s bert.Spec, t *taxonomy.Taxonomy) *rulesBeside {
	if len(s.RulesBeside) == 0 {
		return nil
	}
	w := &rulesBeside{matcher: keywords.New(t), title: len(s.Text) == 1}
	for i, c := range s.Categories {
		if from, ok := s.RulesBeside[c.Name]; ok {
			w.categories, w.from = append(w.categories, i), append(w.from, from)
		}
	}
	return w
}

// answer changes the predictions of the texts in place.
func (w *rulesBeside) answer(texts []Text, predictions []Prediction) {
	var res keywords.Result
	for i, x := range texts {
		if w.title {
			x.Description = ""
		}
		w.matcher.MatchIn(&res, x.Language, x.Title, x.Description)
		p := &predictions[i]
		heed(p, &res, w.categories)
		for j, k := range w.categories {
			score := rescale(float64(p.Scores[k]), w.from[j])
			if res.Scores[k] > 0 {
				score = max(score, res.Scores[k], RuleThreshold)
			}
			p.Scores[k] = float32(score)
			p.Model.Scores[k] = float32(rescale(float64(p.Model.Scores[k]), w.from[j])) // RuleThreshold divides it too
		}
	}
}

// rescale moves a score so that from comes to lie on RuleThreshold; -1 and 1 stay.
func rescale(score, from float64) float64 {
	if score < from {
		return (score+1)/(from+1)*(RuleThreshold+1) - 1
	}
	return RuleThreshold + (score-from)/max(1-from, 1e-9)*(1-RuleThreshold)
}
