package verify

import (
	"context"
	"fmt"
	"strings"

	"github.com/sprint-ml/sprint/ml/metrics"
)

// failed reports whether the result fails the run.
func (r Result) failed() bool { return !r.Passed && r.Severity == "error" }

// evaluate measures one check and decides whether it holds.
func (c Check) evaluate(ctx context.Context, f *figures, p integrityChecker) (Result, error) {
	r := Result{ID: c.ID, On: c.On, Over: c.Over, Category: c.Category, Severity: c.Severity, Lower: c.Lower}
	r.Min, r.Max = c.limits()
	o, err := c.observe(ctx, f, p)
	if err != nil {
		return r, err
	}
	r.Observed, r.Where, r.Void = metrics.Round(o.value), o.where, o.void
	if o.ci != (metrics.Interval{}) {
		r.CI = &o.ci
	}
	r.Passed = o.void == "" && (r.Min == nil || r.Observed >= *r.Min) && (r.Max == nil || r.Observed <= *r.Max) && (r.Lower == nil || o.ci[0] > *r.Lower)
	r.Message = r.describe()
	if !r.Passed && o.samples != nil {
		r.Samples = o.samples()
	}
	return r, nil
}

// observation is what a check saw.
type observation struct {
	value   float64
	ci      metrics.Interval
	where   string
	void    string
	samples func() []Sample
}

// observe takes the value of a check from the figures, or tries what no figure
// shows.
func (c Check) observe(ctx context.Context, f *figures, p integrityChecker) (observation, error) {
	observe := definitionOf(c.ID).observe
	if observe == nil {
		return observation{}, fmt.Errorf("unknown check %q", c.ID)
	}
	return observe(ctx, checkInput{check: c, report: f.reports[c.On], details: f.Details[c.On], set: f.sets[c.On], figures: f, m: p.m, integrity: p})
}

// checkInput is what a check may look at; report, details and set are those of the
// rows that it is on.
type checkInput struct {
	check     Check
	report    metrics.Report
	details   *Details
	set       *evaluationSet
	figures   *figures
	m         *measurer
	integrity integrityChecker
}

// category is how the model does on the category that the check is about.
func (in checkInput) category() metrics.Category { return in.report.PerCategory[in.check.Category] }

// index is the place of that category, -1 if there is none.
func (in checkInput) index() int { return in.m.t.Index(in.check.Category) }

// withoutPositives says why a category cannot be measured, if it has no positive
// row.
func (in checkInput) withoutPositives() string {
	if in.category().Support > 0 {
		return ""
	}
	return "no row of " + in.check.On + " is positive: nothing can be measured"
}

// mistakes samples the model's mistakes about a category, -1 is any.
func (in checkInput) mistakes(category int, is mistake) func() []Sample {
	return func() []Sample { return in.m.wrong(in.set, allRows(in.set), category, is) }
}

// Name is a check in words: "gain on gold over keywords".
func (r Result) Name() string {
	name := r.ID
	if r.Category != "" {
		name += " of " + r.Category
	}
	switch r.ID {
	case "train_support", "latency_p50", "latency_p99", "fallback", "reload":
	default:
		name += " on " + r.On
	}
	if r.Over != "" {
		name += " over " + r.Over
	}
	return name
}

// Requirement is what a check asks for, in words.
func (r Result) Requirement() string {
	var out []string
	if r.Min != nil {
		out = append(out, fmt.Sprintf("at least %.4g", *r.Min))
	}
	if r.Max != nil {
		out = append(out, fmt.Sprintf("at most %.4g", *r.Max))
	}
	if r.Lower != nil {
		out = append(out, fmt.Sprintf("interval above %.4g", *r.Lower))
	}
	return strings.Join(out, ", ")
}

func (r Result) describe() string {
	if r.Void != "" {
		return r.Name() + ": " + r.Void
	}
	text := fmt.Sprintf("%s is %.4g", r.Name(), r.Observed)
	if r.CI != nil {
		text += fmt.Sprintf(" (%.3g to %.3g)", r.CI[0], r.CI[1])
	}
	switch {
	case r.Where != "" && strings.HasPrefix(r.ID, "drift"):
		text += " against " + r.Where
	case r.Where != "":
		text += " (" + r.Where + ")"
	}
	return text + ", demanded: " + r.Requirement()
}
