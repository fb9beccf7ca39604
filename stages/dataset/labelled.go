package dataset

import (
	"context"

	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/storeio"
)

// ReadLabelled reads an input of rows with one label per category, in the
// taxonomy's order; a row without labels abstains everywhere. A category without
// a column and a tag that the taxonomy does not have are a Failure of CodeStage.
func ReadLabelled(ctx context.Context, in stages.Inputs, name string, t *taxonomy.Taxonomy) ([]rows.Row, error) {
	out, columns, err := storeio.ReadRows(ctx, in, name)
	if err != nil {
		return nil, err
	}
	place := map[string]int{}
	for i, c := range columns {
		place[c] = i
	}
	for _, c := range t.Categories {
		if _, ok := place[c.Name]; !ok {
			return nil, stages.Fail(stages.CodeStage, "run label and split again with this taxonomy", "%s has no labels of category %s", name, c.Name)
		}
	}
	for i := range out {
		labels := make([]rows.Label, len(t.Categories))
		for c, category := range t.Categories {
			if out[i].Labels == nil {
				labels[c].Abstain = true
				continue
			}
			labels[c] = out[i].Labels[place[category.Name]]
			if category.TagIndex(labels[c].Tag) < 0 {
				return nil, stages.Fail(stages.CodeStage, "add the tag to the taxonomy, or mend the rows", "%s: row %q has the tag %q, which category %s does not have", name, out[i].Title, labels[c].Tag, category.Name)
			}
		}
		out[i].Labels = labels
	}
	return out, nil
}
