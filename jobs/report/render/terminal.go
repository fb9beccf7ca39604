package render

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/progress/table"
	"github.com/sprint-ml/sprint/jobs/report/document"
)

// shownSamples is how many rows explain a failed check on a terminal.
const shownSamples = 3

// Verification writes what a verify stage found out as tables for a terminal:
// figures, checks, and rows that explain those that failed.
func Verification(out *sanitize.Writer, screen table.Screen, v *document.Verification) {
	fmt.Fprintf(out, "\nOn %s (%d rows):\n", v.On, v.Model.Rows)
	t := screen.Table(nil, table.Column{}, table.Column{Name: "category", Right: true}, table.Column{Name: "precision", Right: true, Drop: 4}, table.Column{Name: "recall", Right: true, Drop: 5},
		table.Column{Name: "F1", Right: true}, table.Column{Name: "keywords F1", Right: true, Drop: 6}, table.Column{Name: "majority F1", Right: true, Drop: 1},
		table.Column{Name: "tags right", Right: true, Drop: 2}, table.Column{Name: "rows", Right: true, Drop: 3})
	for _, cells := range figures(v) {
		t.Row(append([]any{""}, anys(cells)...)...)
	}
	_ = t.Write(out) // its writer keeps the error
	for _, n := range remarks(v) {
		fmt.Fprintln(out, n)
	}
	if len(v.Checks) == 0 {
		return
	}
	fmt.Fprintln(out)
	t = screen.Table(func(row int) string { return outcomeColours[v.Checks[row].Outcome()] },
		table.Column{}, table.Column{Name: "CHECK", Cut: true}, table.Column{Name: "OBSERVED"}, table.Column{Name: "95 % INTERVAL", Drop: 1}, table.Column{Name: "DEMANDED", Cut: true})
	for _, c := range v.Checks {
		t.Row(append([]any{c.Outcome()}, anys(checkCells(c))...)...)
	}
	_ = t.Write(out) // its writer keeps the error
	for _, c := range v.Checks {
		if c.Passed || len(c.Samples) == 0 {
			continue
		}
		fmt.Fprintf(out, "\nRows that explain %s:\n", c.Name())
		for _, x := range c.Samples[:min(shownSamples, len(c.Samples))] {
			fmt.Fprintf(out, "  %s\n    expected %s, answered %s\n", x.Title, x.Expected, x.Answered)
		}
	}
}

// outcomeColours are the colours of the rows of checks.
var outcomeColours = map[string]string{document.Pass: table.Good, document.Fail: table.Bad, document.Warn: table.Doubt}

func anys(cells []string) []any {
	out := make([]any, len(cells))
	for i, c := range cells {
		out[i] = c
	}
	return out
}

// figures are the rows of a table: each category and the averages, beside both
// baselines.
func figures(v *document.Verification) [][]string {
	kw, majority := v.Metrics.Baselines["keywords"], v.Metrics.Baselines["majority"]
	var out [][]string
	two := func(x float64) string { return fmt.Sprintf("%.2f", x) }
	three := func(x float64) string { return fmt.Sprintf("%.3f", x) }
	for _, name := range slices.Sorted(maps.Keys(v.Model.PerCategory)) {
		c := v.Model.PerCategory[name]
		tags := "-"
		if c.TagSupport > 0 {
			tags = fmt.Sprintf("%.0f %%", 100*c.TagAccuracy)
		}
		out = append(out, []string{name, two(c.Precision), two(c.Recall), two(c.F1), two(kw.PerCategory[name].F1), two(majority.PerCategory[name].F1), tags, fmt.Sprint(c.Support)})
	}
	if v.Model.Averaged() {
		out = append(out, []string{"macro-F1", "", "", three(v.Model.MacroF1), three(kw.MacroF1), three(majority.MacroF1), "", ""})
	}
	out = append(out,
		[]string{"micro-F1", "", "", three(v.Model.MicroF1), three(kw.MicroF1), three(majority.MicroF1), "", ""})
	if v.Model.Accuracy != nil && kw.Accuracy != nil && majority.Accuracy != nil {
		out = append(out, []string{"accuracy", "", "", three(*v.Model.Accuracy), three(*kw.Accuracy), three(*majority.Accuracy), "", ""})
	}
	return out
}

// remarks say what the table of figures does not: intervals, and how far the
// rules carry.
func remarks(v *document.Verification) []string {
	var out []string
	averaged := v.Model.Averaged()
	if averaged && v.Model.CI.MacroF1 != nil && v.Details != nil {
		kw, majority := v.Details.Gains["keywords"].MacroF1, v.Details.Gains["majority"].MacroF1
		out = append(out, fmt.Sprintf("macro-F1 is %.3f (%s); over keywords %+.3f (%s), over majority %+.3f", v.Model.MacroF1, interval(v.Model.CI.MacroF1), kw.Value, interval(kw.CI), majority.Value))
	}
	if heads, tuned := v.Metrics.Baselines["heads"]; tuned && averaged {
		text := fmt.Sprintf("before the encoder was tuned the heads had a macro-F1 of %.3f (%s)", heads.MacroF1, interval(heads.CI.MacroF1))
		if v.Details != nil {
			gain := v.Details.Gains["heads"].MacroF1
			text += fmt.Sprintf("; tuning made it %+.3f (%s)", gain.Value, interval(gain.CI))
		}
		out = append(out, text)
	}
	switch {
	case !averaged:
		out = append(out, fmt.Sprintf("there is no macro-F1: no category has %d rows", document.MinSupport))
	case len(v.Model.Unsupported) > 0:
		out = append(out, fmt.Sprintf("macro-F1 leaves out categories with under %d rows: %s", document.MinSupport, strings.Join(v.Model.Unsupported, ", ")))
	}
	if v.Metrics.Masked != nil {
		hidden := fmt.Sprintf("with the rules' words hidden the model's macro-F1 is %.3f", v.Metrics.Masked.MacroF1)
		if !v.Metrics.Masked.Averaged() {
			hidden = fmt.Sprintf("with the rules' words hidden the model's micro-F1 is %.3f", v.Metrics.Masked.MicroF1)
		}
		if v.Details != nil && v.Details.NoRuleFired.Rows > 0 {
			hidden += fmt.Sprintf("; on the %d rows where no rule fired its micro-F1 is %.3f", v.Details.NoRuleFired.Rows, v.Details.NoRuleFired.MicroF1)
		}
		out = append(out, hidden)
	}
	if v.Details != nil && v.Details.Choice != nil && v.Model.Accuracy != nil {
		text := fmt.Sprintf("%.1f %% of the rows are answered right", 100**v.Model.Accuracy)
		if ci := v.Model.CI.Accuracy; ci != nil {
			text += fmt.Sprintf(" (%.1f to %.1f)", 100*ci[0], 100*ci[1])
		}
		text += fmt.Sprintf("; probabilities are off by %.3f on average", v.Details.Choice.Calibration.ECE)
		if w := v.Details.Choice.WithCategory; w != nil {
			text += fmt.Sprintf(", by %.3f on the %d that have a category", w.ECE, w.Rows)
		}
		out = append(out, text)
	}
	if v.Details != nil {
		if by := byLanguage(v.Details.Segments["language"]); by != "" {
			out = append(out, by)
		}
	}
	if v.Metrics.Leaked > 0 {
		out = append(out, fmt.Sprintf("warning: %d gold rows were trained on, the figures flatter", v.Metrics.Leaked))
	}
	return out
}

// byLanguage says how the model does in each language; nothing where there is one.
func byLanguage(parts []document.Segment) string {
	if len(parts) < 2 {
		return ""
	}
	const most = 10
	var said []string
	for _, s := range parts[:min(most, len(parts))] {
		said = append(said, fmt.Sprintf("%s %.3f (%d rows)", s.Name, s.MicroF1, s.Rows))
	}
	if len(parts) > most {
		said = append(said, "…")
	}
	return "micro-F1 by language: " + strings.Join(said, ", ")
}

// interval is an interval in words; empty if none was measured.
func interval(ci *document.Interval) string {
	if ci == nil {
		return ""
	}
	return fmt.Sprintf("%.3f to %.3f", ci[0], ci[1])
}

// checkCells are a check's cells: its name, the observed value, the interval,
// what is demanded.
func checkCells(c document.Check) []string {
	if c.Void != "" {
		return []string{c.Name(), "-", "", c.Void}
	}
	demand := c.Demand()
	if c.Where != "" {
		demand += " (" + c.Where + ")"
	}
	return []string{c.Name(), fmt.Sprintf("%.4g", c.Observed), interval(c.CI), demand}
}

// Split says how many rows each side of a split got, and what was found to meet
// across them; nothing if the report is of another shape.
func Split(out io.Writer, r *document.SplitReport) {
	if len(r.Sides) != 3 {
		return
	}
	fmt.Fprintf(out, "\nSplit by %s: %d rows train, %d val, %d test, in %d stories", r.By, r.Sides[0].Rows, r.Sides[1].Rows, r.Sides[2].Rows, r.Groups)
	dropped, met, nearGold, nearSides := 0, 0, 0, 0
	var closest document.Example
	for _, l := range r.Leaks {
		switch {
		case l.Dropped:
			dropped += l.Rows
			continue
		case l.By != "close":
			met += l.Rows
		case l.Between[1] == "gold":
			nearGold += l.Rows
		default:
			nearSides += l.Rows
		}
		for _, e := range l.Examples {
			if e.Similarity > closest.Similarity {
				closest = e
			}
		}
	}
	if dropped > 0 {
		fmt.Fprintf(out, "; %d rows met the gold set and were dropped", dropped)
	}
	fmt.Fprintln(out)
	if met > 0 {
		fmt.Fprintf(out, "warning: %d rows of one side meet another and were kept\n", met)
	}
	if nearGold+nearSides+met > 0 {
		fmt.Fprintf(out, "half alike and kept: %d pairs with the gold set, %d between sides; the closest (%.2f): %q and %q\n", nearGold, nearSides, closest.Similarity, closest.Title, closest.Other)
	}
}
