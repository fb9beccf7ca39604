package classify

import (
	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// rulesAlone lets the rules of a taxonomy answer in a model's place, which was found to
// know too little.
type rulesAlone struct {
	spec    bert.Spec
	matcher *keywords.Matcher
	every   []int // category
}

func newRulesAlone(s bert.Spec, t *taxonomy.Taxonomy) *rulesAlone {
	return &rulesAlone{spec: s, matcher: keywords.New(t), every: everyCategory(s)}
}

// answer changes the predictions of the texts in place. Where a row may have several
// categories, those that a rule names are over RuleThreshold.
func (w *rulesAlone) answer(texts []Text, predictions []Prediction) {
	var res keywords.Result
	for i, x := range texts {
		if len(w.spec.Text) == 1 {
			x.Description = ""
		}
		w.matcher.MatchIn(&res, x.Language, x.Title, x.Description)
		p := &predictions[i]
		// The model has said nothing: no answer is its own.
		nothing := Prediction{Scores: make([]float32, len(p.Scores)), None: 1}
		for c := range nothing.Scores {
			nothing.Scores[c] = -1
		}
		p.Scores, p.None, p.Model, p.Named = nothing.Scores, nothing.None, &nothing, make([]bool, len(p.Scores))
		clear(p.Tags)
		heed(p, &res, w.every)
		if w.spec.Single {
			w.choose(p, &res)
			continue
		}
		for c, named := range p.Named {
			if named {
				p.Scores[c] = float32(max(res.Scores[c], RuleThreshold))
			}
		}
	}
}

// lessLikely keeps what was not chosen below what was.
const lessLikely = 1e-6

// choose makes the shares of the categories their probabilities.
func (w *rulesAlone) choose(p *Prediction, res *keywords.Result) {
	top := w.matcher.Choose(res)
	if top < 0 {
		return
	}
	shares := w.matcher.Shares(res, nil)
	p.None = 0
	for c, share := range shares {
		if c != top {
			share = min(share, max(shares[top]-lessLikely, 0))
		}
		p.Scores[c] = float32(2*share - 1)
	}
}
