package classify

import (
	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// Decided is the threshold of categories for which rules answer too: their
// scores are moved so that it divides yes from no.
const Decided = 0.5

// withRules lets the rules of a taxonomy answer beside a model. A rule that
// fires decides; elsewhere the model says yes from a score of its own on.
type withRules struct {
	matcher *keywords.Matcher
	of      []int     // categories, by index
	from    []float64 // the model's score that counts, in the order of of
	title   bool      // the model reads titles alone, so the rules do too
}

func newWithRules(s bert.Spec, t *taxonomy.Taxonomy) *withRules {
	if len(s.WithRules) == 0 {
		return nil
	}
	w := &withRules{matcher: keywords.New(t), title: len(s.Text) == 1}
	for i, c := range s.Categories {
		if from, ok := s.WithRules[c.Name]; ok {
			w.of, w.from = append(w.of, i), append(w.from, from)
		}
	}
	return w
}

// answer changes the predictions of the texts in place.
func (w *withRules) answer(texts []Text, predictions []Prediction) {
	var res keywords.Result
	for i, x := range texts {
		if w.title {
			x.Description = ""
		}
		w.matcher.Match(&res, x.Title, x.Description)
		p := &predictions[i]
		for j, k := range w.of {
			score := beside(float64(p.Scores[k]), w.from[j])
			if res.Scores[k] > 0 {
				score = max(score, res.Scores[k], Decided)
				if tag := res.Tags[k]; tag > 0 {
					p.Tags[k] = int32(tag) //nolint:gosec // taxonomies are small
				}
			}
			p.Scores[k] = float32(score)
		}
	}
}

// beside moves a score so that from comes to lie on Decided; -1 and 1 stay.
func beside(score, from float64) float64 {
	if score < from {
		return (score+1)/(from+1)*(Decided+1) - 1
	}
	return Decided + (score-from)/max(1-from, 1e-9)*(1-Decided)
}
