// Package dataset joins rows and a taxonomy: what the kinds that learn from
// labelled rows, or measure on them, share.
//
// taxonomy.go reads the taxonomy that a plan names and the ids of its rules,
// labelled.go the rows of a split with their labels in the taxonomy's order,
// mask.go hides the words on which rules fired. The package imports rows and ml,
// and no kind.
package dataset

import (
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
)

// Taxonomy parses a plan's taxonomy; mistakes come as stages.SourceProblems.
func Taxonomy(src stages.Source) (*taxonomy.Taxonomy, error) {
	if len(src.Data) == 0 {
		return nil, stages.Fail(stages.CodePlan, "add `taxonomy: taxonomy.yaml` to the plan", "the plan names no taxonomy")
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

// RuleID names a rule of the taxonomy, by its place, in reports and rows:
// "category:rule".
func RuleID(t *taxonomy.Taxonomy, rule int) string {
	r := &t.Rules[rule]
	return t.Categories[r.Category].Name + ":" + r.ID
}
