// Package dataset joins rows and a taxonomy: what the kinds that learn from
// labelled rows, or measure on them, share.
//
// dataset.go reads the taxonomy that a plan names and the rows of a split with their
// labels in its order, mask.go hides the words on which rules fired. The package imports rows and ml,
// and no kind.
package dataset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/storeio"
)

// Taxonomy parses a plan's taxonomy; mistakes come as stages.SourceProblems.
func Taxonomy(src stages.Source) (*taxonomy.Taxonomy, error) {
	if len(src.Data) == 0 {
		return nil, stages.Fail(stages.CodePlan, "add `taxonomy: taxonomy.yaml` to the plan", "%w", stages.ErrNoTaxonomy)
	}
	t, problems := taxonomy.Parse(src.Data)
	if len(problems) == 0 {
		return t, nil
	}
	var out stages.SourceProblems
	for _, p := range problems {
		out = append(out, stages.SourceProblem{File: src.Name, Line: p.Line, Col: p.Col, Message: p.Message, Hint: p.Hint})
	}
	return nil, out
}

// Categories are those of a taxonomy, as files of labels may name them.
func Categories(t *taxonomy.Taxonomy) []rows.Category {
	out := make([]rows.Category, len(t.Categories))
	for i, c := range t.Categories {
		out[i] = rows.Category{Name: c.Name, Tags: c.Tags, Alone: t.Single}
	}
	return out
}

// CheckValues tells which of the values of a form, options below path, stand for nothing
// that the taxonomy has.
func CheckValues(path string, t *taxonomy.Taxonomy, form rows.LabelForm) []stages.FileProblem {
	_, err := rows.NewVocabulary(Categories(t), form)
	if err == nil {
		return nil
	}
	p := stages.FileProblem{Option: path + "values", Message: err.Error(), Hint: "the categories are " + strings.Join(t.Names(), ", ") + "; none is a row of no category"}
	if unknown, ok := errors.AsType[*rows.UnknownLabel](err); ok {
		p.Option += "." + unknown.For
		if unknown.Meant != "" {
			p.Hint = fmt.Sprintf("did you mean %q?", unknown.Meant)
		}
	}
	return []stages.FileProblem{p}
}

// RuleID names a rule of the taxonomy, by its place, in reports and rows:
// "category:rule".
func RuleID(t *taxonomy.Taxonomy, rule int) string {
	r := &t.Rules[rule]
	return t.Categories[r.Category].Name + ":" + r.ID
}

// ReadLabelled reads an input of rows with one label per category, in the
// taxonomy's order; a row without labels abstains everywhere. A category without
// a column and a tag that the taxonomy does not have are a Failure of CodeStage.
func ReadLabelled(ctx context.Context, in stages.Inputs, name string, t *taxonomy.Taxonomy) ([]rows.Row, error) {
	out, columns, err := storeio.ReadRows(ctx, in, name)
	if err != nil {
		return nil, err
	}
	place := make([]int, len(t.Categories))
	for c, category := range t.Categories {
		if place[c] = slices.Index(columns, category.Name); place[c] < 0 {
			return nil, stages.Fail(stages.CodeStage, "run label and split again with this taxonomy", "%s has no labels of category %s", name, category.Name)
		}
	}
	for i := range out {
		labels := make([]rows.Label, len(t.Categories))
		for c, category := range t.Categories {
			if out[i].Labels == nil {
				labels[c].Abstain = true
				continue
			}
			labels[c] = out[i].Labels[place[c]]
			if category.TagIndex(labels[c].Tag) < 0 {
				return nil, stages.Fail(stages.CodeStage, "add the tag to the taxonomy, or mend the rows", "%s: row %q has the tag %q, which category %s does not have", name, out[i].Title, labels[c].Tag, category.Name)
			}
		}
		out[i].Labels = labels
	}
	return out, nil
}
