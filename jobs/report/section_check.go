package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sprint-ml/sprint/jobs/report/document"
)

func checkSection(c *document.Checks, here []document.Check) Section {
	out := Section{Title: "Checks", Intro: "All demands hold: the model may be published."}
	if !c.Passed {
		out.Intro = "A demand does not hold: the model is not published."
	}
	t := &Table{Caption: "Demands of the plan", Columns: []Column{{"", false}, {"check", false}, {"on", false}, {"observed", true}, {"demanded", true}, {"where", false}}}
	var folds []Block
	for _, x := range slices.Concat(c.Checks, here) {
		mark := Cell{Text: x.Outcome(), Mark: map[string]Mark{document.Pass: Good, document.Warn: Warn, document.Fail: Bad}[x.Outcome()]}
		name := x.ID
		if x.Category != "" {
			name += " of " + x.Category
		}
		if x.Over != "" {
			name += " over " + x.Over
		}
		observed := strconv.FormatFloat(x.Observed, 'g', 4, 64) + brackets(x.CI)
		if x.Void != "" {
			observed = ""
		}
		t.Rows = append(t.Rows, []Cell{mark, {Text: name, Head: true}, {Text: x.On}, {Text: observed}, {Text: demand(x)}, {Text: cmp.Or(x.Void, x.Where)}})
		if len(x.Samples) > 0 {
			samples := &Table{Columns: []Column{{"headline", false}, {"expected", false}, {"answered", false}}}
			for _, r := range x.Samples {
				samples.Rows = append(samples.Rows, []Cell{{Text: r.Title, Link: link(r.ID), Head: true, Long: true}, {Text: r.Expected}, {Text: r.Answered}})
			}
			folds = append(folds, Block{Fold: fmt.Sprintf("Rows that explain %s on %s", name, x.On), Blocks: []Block{{Table: samples.cut()}}})
		}
	}
	out.Blocks = append([]Block{{Table: t.cut()}}, folds[:min(len(folds), maxRows)]...)
	return out
}

// demand is what a check asks for, in signs.
func demand(x document.Check) string {
	var out []string
	add := func(sign string, v *float64) {
		if v != nil {
			out = append(out, sign+strconv.FormatFloat(*v, 'g', 4, 64))
		}
	}
	add("≥ ", x.Min)
	add("≤ ", x.Max)
	add("interval > ", x.Lower)
	return strings.Join(out, ", ")
}
