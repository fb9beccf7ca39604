package verify

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/stages"
)

// definition is what a check means and what it takes.
type definition struct {
	id  string
	doc string
	// min and max are the limits of a check that names none; a definition
	// without them requires that the plan names some.
	min, max *float64
	category use
	interval bool // it has one, so it takes lower
	limited  bool // the limits are the definition's own
	observe  observer
}

// observer takes the value of a check from the figures, or tries what no figure
// shows.
type observer func(context.Context, checkInput) (observation, error)

// use says whether a check takes an option.
type use int

const (
	never use = iota
	optional
	always
)

// definitions are all checks, in the order of the reference page. The enum of
// Check.ID lists the same.
var definitions = []definition{
	{id: "macro_f1", doc: "mean F1 of the categories with at least 8 positives", interval: true, observe: checkMacroF1},
	{id: "micro_f1", doc: "F1 over all decisions of all categories", interval: true, observe: checkMicroF1},
	{id: "accuracy", doc: "share of rows that are answered right, where the taxonomy says labels: single", interval: true, observe: checkAccuracy},
	{id: "precision", doc: "of one category", category: always, interval: true, observe: checkCategory},
	{id: "recall", doc: "of one category", category: always, interval: true, observe: checkCategory},
	{id: "f1", doc: "of one category", category: always, interval: true, observe: checkCategory},
	{id: "tag_accuracy", doc: "right tags among positives that carry one; of one category, else of all", category: optional, interval: true, observe: checkTagAccuracy},
	{id: "gain", doc: "macro-F1 less that of over (keywords or majority) on the same rows", interval: true, observe: checkGain},
	{id: "masked_gap", doc: "macro-F1 less that on texts whose rule words are hidden", interval: true, observe: checkMaskedGap},
	{id: "no_rule_fired", doc: "micro-F1 on the rows where no rule fired: what the rules cannot do", interval: true, observe: checkNoRuleFired},
	{id: "calibration", doc: "expected calibration error: how far a score, cut to [0,1], is from the share of positives, over ten steps; of one category, else the worst with 8 positives, with labels: single of what is answered", max: new(0.15), category: optional, observe: checkCalibration},
	{id: "support", doc: "positives of one category, else of the rarest", min: new(8.0), category: optional, observe: checkSupport},
	{id: "train_support", doc: "the same among the training rows", min: new(8.0), category: optional, observe: checkSupport},
	{id: "weak_domain", doc: "micro-F1 less that of the worst host of at least `rows` rows", max: new(0.2), observe: checkWeakest(byDomain)},
	{id: "weak_length", doc: "the same by length of title: under 30, 50, 70, 90, 120 characters, or more", max: new(0.2), observe: checkWeakest(byLength)},
	{id: "weak_language", doc: "the same by language, where that of the rows is known", max: new(0.2), observe: checkWeakest(byLanguage)},
	{id: "drift_labels", doc: "population stability index of the predicted categories against the release before this model, else against the training rows; 0.1 is a little, 0.25 much", max: new(0.25), observe: checkDriftLabels},
	{id: "drift_lengths", doc: "the same of the lengths of titles", max: new(0.25), observe: checkDriftLengths},
	{id: "latency_p50", doc: "median milliseconds for one text", max: new(100.0), observe: checkLatency},
	{id: "latency_p99", doc: "milliseconds that 99 of 100 texts stay under", max: new(500.0), observe: checkLatency},
	{id: "reload", doc: "largest difference of an answer when the saved bytes are read again: none is allowed", max: new(0.0), limited: true, observe: checkReload},
	{id: "fallback", doc: "texts that the keywords do not answer, or do not say so, when the model cannot be loaded: none is allowed", max: new(0.0), limited: true, observe: checkFallback},
	{id: "leak", doc: "rows that are in train too, by url, id, title or as near-duplicates: none is allowed", max: new(0.0), limited: true, observe: checkLeak},
}

// span is what a check can observe.
func (d definition) span() (lo, hi float64) {
	switch d.id {
	case "gain", "masked_gap", "weak_domain", "weak_length", "weak_language":
		return -1, 1
	case "support", "train_support", "drift_labels", "drift_lengths", "latency_p50", "latency_p99", "fallback", "leak", "reload":
		return 0, math.Inf(1)
	}
	return 0, 1
}

func definitionOf(id string) definition {
	if i := slices.IndexFunc(definitions, func(d definition) bool { return d.id == id }); i >= 0 {
		return definitions[i]
	}
	return definition{}
}

// volatile reports whether a check measures the machine and the moment.
func volatile(id string) bool { return strings.HasPrefix(id, "latency_") }

// limits are those of a check, its own or the definition's.
func (c Check) limits() (least, most *float64) {
	if c.Min != nil || c.Max != nil || c.Lower != nil {
		return c.Min, c.Max
	}
	d := definitionOf(c.ID)
	return d.min, d.max
}

// reference lists all checks for the kind's page.
func reference() string {
	var b strings.Builder
	for _, d := range definitions {
		fmt.Fprintf(&b, "  %-14s %s", d.id, d.doc)
		switch {
		case d.limited:
		case d.min != nil:
			fmt.Fprintf(&b, " (min %g)", *d.min)
		case d.max != nil:
			fmt.Fprintf(&b, " (max %g)", *d.max)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// topics are the pages of the checks.
func topics() []stages.Topic {
	var out []stages.Topic
	for _, d := range definitions {
		doc := d.doc + "."
		example := "id: " + d.id
		switch {
		case d.limited:
		case d.min != nil:
			doc += fmt.Sprintf("\nIts limit is min %g where the plan names none.", *d.min)
		case d.max != nil:
			doc += fmt.Sprintf("\nIts limit is max %g where the plan names none.", *d.max)
		case d.id == "masked_gap":
			example += ", max: 0.2"
		case d.id == "gain":
			example += ", over: keywords, min: 0.05"
		default:
			doc += "\nA plan names min or max, or lower: what the lower end of the interval must be above."
			example += ", min: 0.1"
		}
		switch d.category {
		case always:
			doc += "\nIt needs a category."
			example += ", category: NAME"
		case optional:
			doc += "\nIt takes a category."
		case never:
		}
		if d.interval {
			doc += "\nIt has a 95 % interval."
		}
		if volatile(d.id) {
			doc += "\nIt is of the machine and the moment: nothing is committed if it fails."
		}
		out = append(out, stages.Topic{Of: "check", Name: d.id, Doc: doc, Example: "gold: gold.csv\nchecks:\n  - {" + example + ", set: gold}\n"})
	}
	return out
}

// failed reports whether the result fails the run.
func (r Result) failed() bool { return !r.Passed && r.Severity == "error" }

// evaluate measures one check and decides whether it holds.
func (c Check) evaluate(ctx context.Context, in checkInput) (Result, error) {
	r := Result{ID: c.ID, On: c.On, Over: c.Over, Category: c.Category, Severity: c.Severity, Lower: c.Lower}
	r.Min, r.Max = c.limits()
	in.check, in.report, in.details, in.set = c, in.figures.reports[c.On], in.figures.Details[c.On], in.figures.sets[c.On]
	o, err := definitionOf(c.ID).observe(ctx, in)
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

// checkInput is what a check may look at; report, details and set are those of the
// rows that it is on.
type checkInput struct {
	check     Check
	report    metrics.Report
	details   *Details
	set       *evaluationSet
	figures   *figures
	timings   Timings
	m         *measurer
	stage     *stage
	artifacts stages.Inputs
	dev       *device.Device
}

// index is the place of the category that the check is about, -1 if there is none.
func (in checkInput) index() int { return in.m.t.Index(in.check.Category) }

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
