package label

import (
	"cmp"
	"context"
	"io"
	"slices"

	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/labelmodel"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/rows"
)

// source is one labeller.
type source interface {
	// cast returns the votes on each row of set, in order; no votes means that
	// the source has no opinion. It may note on the rows what it saw.
	cast(ctx context.Context, set []*rows.Row) ([][]labelmodel.Vote, error)
}

// closeAll frees what sources hold.
func closeAll(sources []source) {
	for _, s := range sources {
		if c, ok := s.(io.Closer); ok {
			c.Close()
		}
	}
}

// voter is whoever casts votes of one kind: a rule, or a source on a category.
type voter struct {
	source string
	name   string // "category:rule", or the category
}

// voters grows the list of voters while sources are made.
type voters struct {
	list    []voter
	weights []float64
}

// add appends a voter and returns its number.
func (v *voters) add(source, name string, weight float64) int {
	v.list = append(v.list, voter{source, name})
	v.weights = append(v.weights, weight)
	return len(v.list) - 1
}

// perCategory appends a voter per category.
func (v *voters) perCategory(source string, t *taxonomy.Taxonomy, weight float64) []int {
	out := make([]int, len(t.Categories))
	for c, category := range t.Categories {
		out[c] = v.add(source, category.Name, weight)
	}
	return out
}

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
		s.matcher.Match(&s.res, row.Title, row.Description)
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
				votes = append(votes, labelmodel.Vote{Voter: s.rule[rule], Category: r.Category, Score: min(r.Weight, s.res.Scores[r.Category]), Tag: r.Tag})
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

// columnSource votes with the labels that the rows carry.
type columnSource struct {
	t     *taxonomy.Taxonomy
	place []int // column of a category
	voter []int
}

func newColumns(t *taxonomy.Taxonomy, columns []string, v *voters, weight float64) (*columnSource, error) {
	s := &columnSource{t: t, place: make([]int, len(t.Categories))}
	for c, category := range t.Categories {
		if s.place[c] = slices.Index(columns, category.Name); s.place[c] < 0 {
			return nil, stages.Fail(stages.CodeStage, "use `label: {with: {source: rules}}`, or add the columns "+category.Name+"_score and "+category.Name+"_tag", "the rows carry no labels of category %s", category.Name)
		}
	}
	s.voter = v.perCategory(sourceColumns, t, weight)
	return s, nil
}

func (s *columnSource) cast(_ context.Context, set []*rows.Row) ([][]labelmodel.Vote, error) {
	out := make([][]labelmodel.Vote, len(set))
	for i, row := range set {
		if row.Labels == nil {
			continue
		}
		for c, category := range s.t.Categories {
			l := row.Labels[s.place[c]]
			tag := category.TagIndex(l.Tag)
			if tag < 0 {
				return nil, stages.Fail(stages.CodeStage, "add the tag to the taxonomy, or mend the rows", "row %q has the tag %q, which category %s does not have", row.Title, l.Tag, category.Name)
			}
			if !l.Abstain {
				out[i] = append(out[i], labelmodel.Vote{Voter: s.voter[c], Category: c, Score: l.Score, Tag: tag})
			}
		}
	}
	return out, nil
}
