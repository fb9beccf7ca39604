package label

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/labelmodel"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/rows"
)

// columnSource votes with the labels that the rows carry: those of a column label, where
// it says something, else the scores of categories.
type columnSource struct {
	t          *taxonomy.Taxonomy
	place      []int            // column of a category; -1 if it has none
	vocabulary *rows.Vocabulary // nil if no column label is read
	voter      []int
}

func (s *stage) newColumns(t *taxonomy.Taxonomy, columns []string, b *assembly, weight float64) (*columnSource, error) {
	c := &columnSource{t: t, place: make([]int, len(t.Categories)), voter: b.voters.perCategory(sourceColumns, t, weight)}
	var missing []string
	for i, category := range t.Categories {
		if c.place[i] = slices.Index(columns, category.Name); c.place[i] < 0 {
			missing = append(missing, category.Name)
		}
	}
	labelled := slices.ContainsFunc(b.rows, func(r rows.Row) bool { return r.Label != "" })
	switch {
	case len(missing) == 0 && labelled:
		s.env.Log.Warn("the column label is not read: the categories have columns of their own")
	case labelled:
		var err error
		if c.vocabulary, err = rows.NewVocabulary(dataset.Categories(t), s.o.form()); err != nil {
			return nil, stages.Fail(stages.CodePlan, "the categories are "+strings.Join(t.Names(), ", "), "values: %w", err)
		}
		return c, c.checkLabels(b.rows)
	case len(missing) > 0:
		message, hint := missingLabels(t, columns)
		return nil, stages.Fail(stages.CodeStage, hint, "%s", message)
	}
	return c, nil
}

// missingLabels says which category the columns of categories lack; empty if none.
func missingLabels(t *taxonomy.Taxonomy, columns []string) (message, hint string) {
	var missing, named []string
	for _, name := range t.Names() {
		if !slices.Contains(columns, name) {
			missing = append(missing, name)
			named = append(named, fmt.Sprintf("%s_score: NAME", name))
		}
	}
	if len(missing) == 0 {
		return "", ""
	}
	return fmt.Sprintf("the rows carry no labels of category %s: they have no column label, and no column %s or %s_score", missing[0], missing[0], missing[0]),
		fmt.Sprintf("name the columns in fetch: files: {columns: {label: NAME}} for one column of all categories, files: {columns: {%s}} for a 0/1 column of each; or label by rules: source: rules", strings.Join(named, ", "))
}

// labelHint says what to do about a cell that is no label.
func labelHint(t *taxonomy.Taxonomy, err error) string {
	unknown, ok := errors.AsType[*rows.UnknownLabel](err)
	switch {
	case !ok:
		return ""
	case unknown.Meant != "":
		return fmt.Sprintf("did you mean %q? Else say in label what it means, values: {%q: CATEGORY}", unknown.Meant, unknown.Value)
	}
	return fmt.Sprintf("say in label what it means, values: {%q: CATEGORY}; none is a row of no category, and the categories are %s", unknown.Value, strings.Join(t.Names(), ", "))
}

// shownLabels is how many unknown labels a message tells.
const shownLabels = 5

// checkLabels refuses labels that mean nothing, all at once, the most frequent first.
func (c *columnSource) checkLabels(set []rows.Row) error {
	count, errs := map[string]int{}, map[string]error{}
	affected := 0
	for i := range set {
		if _, err := c.vocabulary.Parse(set[i].Label); err != nil {
			value := set[i].Label
			if unknown, ok := errors.AsType[*rows.UnknownLabel](err); ok {
				value = unknown.Value
			}
			affected++
			count[value]++
			errs[value] = err
		}
	}
	if affected == 0 {
		return nil
	}
	values := slices.SortedFunc(maps.Keys(count), func(x, y string) int { return cmp.Or(count[y]-count[x], cmp.Compare(x, y)) })
	var told []string
	example := fmt.Sprintf("%q: CATEGORY", values[0])
	for i, value := range values {
		if i == shownLabels {
			told = append(told, fmt.Sprintf("and %d more", len(values)-i))
			break
		}
		text := fmt.Sprintf("%v (%d rows", errs[value], count[value])
		if unknown, ok := errors.AsType[*rows.UnknownLabel](errs[value]); ok && unknown.Meant != "" {
			text += fmt.Sprintf(`, did you mean "%s"?`, unknown.Meant)
			example = fmt.Sprintf("%q: %s", value, unknown.Meant)
		}
		told = append(told, text+")")
	}
	return stages.Fail(stages.CodeStage, fmt.Sprintf("say in label what they mean, values: {%s}; none is a row of no category, and the categories are %s", example, strings.Join(c.t.Names(), ", ")),
		"the column label of %d of %d rows says what the taxonomy does not have: %s", affected, len(set), strings.Join(told, "; "))
}

func (c *columnSource) cast(_ context.Context, set []*rows.Row) ([][]labelmodel.Vote, error) {
	out := make([][]labelmodel.Vote, len(set))
	for i, row := range set {
		labels, err := c.labels(row)
		if err != nil {
			return nil, err
		}
		for k, l := range labels {
			category := c.t.Categories[k]
			tag := category.TagIndex(l.Tag)
			if tag < 0 {
				return nil, stages.Fail(stages.CodeStage, "add the tag to the taxonomy, or mend the rows", "row %q has the tag %q, which category %s does not have", row.Title, l.Tag, category.Name)
			}
			if !l.Abstain {
				out[i] = append(out[i], labelmodel.Vote{Voter: c.voter[k], Category: k, Score: l.Score, Tag: tag})
			}
		}
	}
	return out, nil
}

// labels are those that a row carries, by category.
func (c *columnSource) labels(row *rows.Row) ([]rows.Label, error) {
	if c.vocabulary != nil {
		labels, err := c.vocabulary.Parse(row.Label)
		if err != nil {
			return nil, stages.Fail(stages.CodeStage, "mend the row, or say in values what it means", "row %q: %w", row.Title, err)
		}
		if labels != nil {
			return labels, nil
		}
	}
	if row.Labels == nil {
		return nil, nil
	}
	labels := make([]rows.Label, len(c.place))
	for k, at := range c.place {
		labels[k].Abstain = true
		if at >= 0 {
			labels[k] = row.Labels[at]
		}
	}
	return labels, nil
}
