package label

import (
	"cmp"
	"context"
	"slices"

	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/labelmodel"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/rows"
)

// ruleSource votes by the taxonomy's rules: each rule that fires votes for its
// category with its weight as score, and the silence of the others against
// theirs. Without a rule that fires there are no votes.
type ruleSource struct {
	t       *taxonomy.Taxonomy
	matcher *keywords.Matcher
	ids     []string // "category:rule"
	rule    []int    // voter of a rule
	absent  []int    // voter of a category's silence
	weights *[]float64
	res     keywords.Result
	shares  []float64 // of the categories, where a row has one label
}

func newRules(t *taxonomy.Taxonomy, v *voters, weight float64) *ruleSource {
	s := &ruleSource{t: t, matcher: keywords.New(t), weights: &v.weights}
	for i := range t.Rules {
		s.ids = append(s.ids, dataset.RuleID(t, i))
		s.rule = append(s.rule, v.add(sourceRules, s.ids[i], weight*max(0, t.Rules[i].Weight)))
	}
	s.absent = v.perCategory(sourceRules, t, weight*absentWeight)
	return s
}

func (s *ruleSource) cast(_ context.Context, set []*rows.Row) ([][]labelmodel.Vote, error) {
	out := make([][]labelmodel.Vote, len(set))
	spoke := make([]bool, len(s.t.Categories))
	var fired []int
	for i, row := range set {
		s.matcher.MatchIn(&s.res, row.Language, row.Title, row.Description)
		fired = fired[:0]
		for _, h := range s.res.Fired {
			if !slices.Contains(fired, h.Rule) {
				fired = append(fired, h.Rule)
			}
		}
		row.Rules = nil
		for _, rule := range fired {
			row.Rules = append(row.Rules, s.ids[rule])
		}
		// The strongest rule gives the tag, the first of the file among equals.
		slices.SortFunc(fired, func(x, y int) int {
			return cmp.Or(cmp.Compare(s.t.Rules[y].Weight, s.t.Rules[x].Weight), x-y)
		})
		if s.t.Single {
			s.shares = s.matcher.Shares(&s.res, s.shares)
		}
		clear(spoke)
		var votes []labelmodel.Vote
		for _, rule := range fired {
			r := &s.t.Rules[rule]
			// A rule against its category only lowers what the others say; if
			// nothing is left, they are silent.
			if r.Weight < 0 || s.res.Scores[r.Category] <= 0 {
				continue
			}
			if (*s.weights)[s.rule[rule]] > 0 {
				score := min(r.Weight, s.res.Scores[r.Category])
				if s.t.Single {
					score = s.shares[r.Category]
				}
				votes = append(votes, labelmodel.Vote{Voter: s.rule[rule], Category: r.Category, Score: score, Tag: r.Tag})
				spoke[r.Category] = true
			}
		}
		if len(votes) == 0 {
			continue
		}
		for c := range spoke {
			if !spoke[c] {
				votes = append(votes, labelmodel.Vote{Voter: s.absent[c], Category: c})
			}
		}
		out[i] = votes
	}
	return out, nil
}
