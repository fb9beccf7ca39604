package classify

import (
	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/keywords"
)

// rulesBonus lets the rules of a taxonomy weigh in where a text has one label: a model
// that is sure keeps its answer, one in doubt follows them.
type rulesBonus struct {
	spec    bert.Spec
	matcher *keywords.Matcher
}

// answer changes the predictions of the texts in place.
func (w *rulesBonus) answer(texts []Text, predictions []Prediction) {
	var res keywords.Result
	var shares []float64
	s := w.spec
	s.Temperature = 0 // the predictions have it
	for i, x := range texts {
		if len(s.Text) == 1 {
			x.Description = ""
		}
		if w.matcher.Match(&res, x.Title, x.Description); !res.Any() {
			continue
		}
		p := &predictions[i]
		shares = w.matcher.Shares(&res, shares)
		logs := s.Logs(*p)
		for c, share := range shares {
			logs[c] += float32(share * s.RulesBonus)
			if tag := res.Tags[c]; tag > 0 {
				p.Tags[c] = int32(tag) //nolint:gosec // taxonomies are small
			}
		}
		tags := p.Tags
		*p = s.Choose(logs)
		p.Tags = tags
	}
}
