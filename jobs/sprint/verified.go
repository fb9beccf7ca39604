package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/stages/verify"
)

// verified is what a verify stage found out, as the summary, JUnit and Markdown
// show it.
type verified struct {
	stage   string
	metrics verify.Metrics
	checks  []verify.Result // those of latency too
	// model are the figures of the set that counts, details beside them, on the
	// set in words.
	model   metrics.Report
	details *verify.Details
	on      string
}

// verified reads the outputs of a verify stage; ok is false if it has none.
func (s *summary) verified(ctx context.Context, st runs.StageResult) (v verified, ok bool) {
	if st.Kind != "verify" || !s.read(ctx, st, "metrics", &v.metrics) {
		return v, false
	}
	v.stage = st.Name
	v.model, v.details, v.on = v.metrics.Test, v.metrics.Details["test"], "the test split, labelled by the rules themselves"
	if v.metrics.Gold != nil {
		v.model, v.details, v.on = *v.metrics.Gold, v.metrics.Details["gold"], "the gold set"
	}
	var c verify.Checks
	var t verify.Timings
	if s.read(ctx, st, "checks", &c) && s.read(ctx, st, "timings", &t) {
		v.checks = slices.Concat(c.Checks, t.Checks)
	}
	return v, true
}

// figureHeader are the columns of rows.
var figureHeader = []string{"category", "precision", "recall", "F1", "keywords F1", "majority F1", "tags right", "rows"}

// rows are the figures of each category and the averages, beside both baselines.
func (v *verified) rows() [][]string {
	kw, majority := v.metrics.Baselines["keywords"], v.metrics.Baselines["majority"]
	var out [][]string
	two := func(x float64) string { return fmt.Sprintf("%.2f", x) }
	three := func(x float64) string { return fmt.Sprintf("%.3f", x) }
	for _, name := range slices.Sorted(maps.Keys(v.model.PerCategory)) {
		c := v.model.PerCategory[name]
		tags := "-"
		if c.TagSupport > 0 {
			tags = fmt.Sprintf("%.0f %%", 100*c.TagAccuracy)
		}
		out = append(out, []string{name, two(c.Precision), two(c.Recall), two(c.F1), two(kw.PerCategory[name].F1), two(majority.PerCategory[name].F1), tags, fmt.Sprint(c.Support)})
	}
	return append(out,
		[]string{"macro-F1", "", "", three(v.model.MacroF1), three(kw.MacroF1), three(majority.MacroF1), "", ""},
		[]string{"micro-F1", "", "", three(v.model.MicroF1), three(kw.MicroF1), three(majority.MicroF1), "", ""})
}

func interval(ci metrics.Interval) string { return fmt.Sprintf("%.3f to %.3f", ci[0], ci[1]) }

// notes say what the table does not: intervals, and how far the rules carry.
func (v *verified) notes() []string {
	var out []string
	if v.model.CI != nil && v.details != nil {
		kw, majority := v.details.Gains["keywords"].MacroF1, v.details.Gains["majority"].MacroF1
		out = append(out, fmt.Sprintf("macro-F1 is %.3f (%s); over keywords %+.3f (%s), over majority %+.3f", v.model.MacroF1, interval(v.model.CI.MacroF1), kw.Value, interval(kw.CI), majority.Value))
	}
	if len(v.model.Unsupported) > 0 {
		out = append(out, fmt.Sprintf("macro-F1 leaves out categories with under %d rows: %s", metrics.MinSupport, strings.Join(v.model.Unsupported, ", ")))
	}
	hidden := fmt.Sprintf("with the rules' words hidden the model's macro-F1 is %.3f", v.metrics.Masked.MacroF1)
	if v.details != nil && v.details.NoRuleFired.Rows > 0 {
		hidden += fmt.Sprintf("; on the %d rows where no rule fired its micro-F1 is %.3f", v.details.NoRuleFired.Rows, v.details.NoRuleFired.MicroF1)
	}
	out = append(out, hidden)
	if v.metrics.Leaked > 0 {
		out = append(out, fmt.Sprintf("warning: %d gold rows were trained on, the figures flatter", v.metrics.Leaked))
	}
	return out
}

// word is how a check ended.
func word(r verify.Result) string {
	switch {
	case r.Passed:
		return "pass"
	case r.Severity == "warn":
		return "warn"
	}
	return "FAIL"
}

// columns are a check's cells: check, observed, interval, demanded.
func columns(r verify.Result) []string {
	ci := ""
	if r.CI != nil {
		ci = interval(*r.CI)
	}
	if r.Void != "" {
		return []string{r.Name(), "-", "", r.Void}
	}
	demand := r.Demand()
	if r.Where != "" {
		demand += " (" + r.Where + ")"
	}
	return []string{r.Name(), fmt.Sprintf("%.4g", r.Observed), ci, demand}
}

// checkHeader are the columns of a check.
var checkHeader = []string{"CHECK", "OBSERVED", "95 % INTERVAL", "DEMANDED"}

// shownSamples is how many rows explain a failed check on the terminal.
const shownSamples = 3

// show writes tables for people.
func (v *verified) show(out io.Writer) {
	fmt.Fprintf(out, "\nOn %s (%d rows):\n", v.on, v.model.Rows)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, cells := range append([][]string{figureHeader}, v.rows()...) {
		fmt.Fprintln(w, strings.Join(cells, "\t")+"\t")
	}
	w.Flush()
	for _, n := range v.notes() {
		fmt.Fprintln(out, n)
	}
	if len(v.checks) == 0 {
		return
	}
	fmt.Fprintln(out)
	w = tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\t"+strings.Join(checkHeader, "\t"))
	for _, r := range v.checks {
		fmt.Fprintln(w, word(r)+"\t"+strings.Join(columns(r), "\t"))
	}
	w.Flush()
	for _, r := range v.checks {
		if r.Passed || len(r.Samples) == 0 {
			continue
		}
		fmt.Fprintf(out, "\nRows that explain %s:\n", r.Name())
		for _, x := range r.Samples[:min(shownSamples, len(r.Samples))] {
			fmt.Fprintf(out, "  %s\n    expected %s, answered %s\n", x.Title, x.Expected, x.Answered)
		}
	}
}
