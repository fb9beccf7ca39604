package label

import (
	"context"
	"slices"

	"github.com/sprint-ml/sprint/ml/labelmodel"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

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
