package classify

import (
	"math"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// rulesBonus lets the rules of a taxonomy weigh in: a model that is sure keeps its answer,
// one in doubt follows them.
type rulesBonus struct {
	spec    bert.Spec
	matcher *keywords.Matcher
	every   []int // category
}

func newRulesBonus(s bert.Spec, t *taxonomy.Taxonomy) *rulesBonus {
	return &rulesBonus{spec: s, matcher: keywords.New(t), every: everyCategory(s)}
}

func everyCategory(s bert.Spec) []int {
	out := make([]int, len(s.Categories))
	for c := range out {
		out[c] = c
	}
	return out
}

// answer changes the predictions of the texts in place.
func (w *rulesBonus) answer(texts []Text, predictions []Prediction) {
	var res keywords.Result
	var shares []float64
	for i, x := range texts {
		if len(w.spec.Text) == 1 {
			x.Description = ""
		}
		w.matcher.MatchIn(&res, x.Language, x.Title, x.Description)
		p := &predictions[i]
		if heed(p, &res, w.every); !res.Any() {
			continue
		}
		if w.spec.Single {
			shares = w.matcher.Shares(&res, shares)
			w.choose(p, shares)
		} else {
			w.move(p)
		}
	}
}

// heed keeps the model's own answer, and takes from the rules which of some categories
// they name, and the tags where they name one.
func heed(p *Prediction, res *keywords.Result, categories []int) {
	if p.Model == nil {
		own := *p
		p.Model, p.Named = &own, make([]bool, len(p.Scores))
	}
	scores, tags := make([]float32, len(p.Scores)), make([]int32, len(p.Tags))
	copy(scores, p.Scores)
	copy(tags, p.Tags)
	for _, c := range categories {
		if res.Scores[c] <= 0 {
			continue
		}
		p.Named[c] = true
		if tag := res.Tags[c]; tag > 0 {
			tags[c] = int32(tag) //nolint:gosec // taxonomies are small
		}
	}
	p.Scores, p.Tags = scores, tags
}

// choose moves the logits of a single model by each category's share of the bonus.
func (w *rulesBonus) choose(p *Prediction, shares []float64) {
	s := w.spec
	s.Temperature = 0 // the predictions have it
	logs := s.Logs(*p)
	for c, share := range shares {
		logs[c] += float32(share * s.RulesBonus)
	}
	moved := s.Choose(logs)
	p.Scores, p.None = moved.Scores, moved.None
}

// surest is the score, short of 1, whose logit still counts.
const surest = 1 - 1e-7

// move adds the bonus to the logits of the categories that rules name, and takes it
// from the others. A score is 2σ(logit)-1.
func (w *rulesBonus) move(p *Prediction) {
	for c, x := range p.Scores {
		bonus := w.spec.RulesBonus
		if !p.Named[c] {
			bonus = -bonus
		}
		half := math.Atanh(math.Min(math.Max(float64(x), -surest), surest)) // of the logit
		p.Scores[c] = float32(math.Tanh(half + bonus/2))
	}
}
