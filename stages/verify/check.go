package verify

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/sprint-ml/sprint/ml/metrics"
)

// Checks is the content of checks.json.
type Checks struct {
	Passed bool     `json:"passed"`
	Model  string   `json:"model"` // digest of the model that was measured
	Checks []Result `json:"checks"`
}

// Result is one check with what was observed.
type Result struct {
	ID       string   `json:"id"`
	On       string   `json:"on"`
	Over     string   `json:"over,omitempty"`
	Category string   `json:"category,omitempty"`
	Severity string   `json:"severity"`
	Min      *float64 `json:"min,omitempty"`
	Max      *float64 `json:"max,omitempty"`
	Lower    *float64 `json:"lower,omitempty"` // what the interval's lower end must be above
	Observed float64  `json:"observed"`
	// CI is the 95 % interval of the observed value, where it has one.
	CI *metrics.Interval `json:"ci,omitempty"`
	// Where names what decided: the weakest segment or category, or the release
	// that was compared with.
	Where string `json:"where,omitempty"`
	// Void says why nothing could be measured, which fails the check.
	Void    string `json:"void,omitempty"`
	Passed  bool   `json:"passed"`
	Message string `json:"message"`
	// Samples are rows that explain a failure.
	Samples []Sample `json:"samples,omitempty"`
}

// failed reports whether the result fails the run.
func (r Result) failed() bool { return !r.Passed && r.Severity == "error" }

// evaluate evaluates one demand.
func (s *stage) evaluate(ctx context.Context, c Check, f *figures, p integrityChecker) (Result, error) {
	r := Result{ID: c.ID, On: c.On, Over: c.Over, Category: c.Category, Severity: c.Severity, Lower: c.Lower}
	r.Min, r.Max = c.limits()
	o, err := s.observe(ctx, c, f, p)
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

// observe takes the value of a check from the figures, or has it proved.
func (s *stage) observe(ctx context.Context, c Check, f *figures, p integrityChecker) (observation, error) {
	report, d, set := f.reports[c.On], f.Details[c.On], f.sets[c.On]
	m := p.m
	category := report.PerCategory[c.Category]
	k := m.t.Index(c.Category)
	void := ""
	if definitionOf(c.ID).category == always && category.Support == 0 {
		void = "no row of " + c.On + " is positive: nothing can be measured"
	}
	switch c.ID {
	case "macro_f1":
		if len(report.Unsupported) == len(m.t.Categories) {
			void = fmt.Sprintf("no category has %d positives", metrics.MinSupport)
		}
		return observation{value: report.MacroF1, ci: report.CI.MacroF1, void: void, samples: func() []Sample { return m.wrong(set, allRows(set), -1, anyError) }}, nil
	case "micro_f1":
		return observation{value: report.MicroF1, ci: report.CI.MicroF1, samples: func() []Sample { return m.wrong(set, allRows(set), -1, anyError) }}, nil
	case "precision":
		return observation{value: category.Precision, ci: category.CI.Precision, void: void, samples: func() []Sample { return m.wrong(set, allRows(set), k, falseAlarm) }}, nil
	case "recall":
		return observation{value: category.Recall, ci: category.CI.Recall, void: void, samples: func() []Sample { return m.wrong(set, allRows(set), k, missed) }}, nil
	case "f1":
		return observation{value: category.F1, ci: category.CI.F1, void: void, samples: func() []Sample { return m.wrong(set, allRows(set), k, anyError) }}, nil
	case "tag_accuracy":
		o := observation{value: d.TagAccuracy.Value, ci: d.TagAccuracy.CI, samples: func() []Sample { return m.wrongTags(set, k) }}
		tagged := category.TagSupport
		if c.Category != "" {
			o.value, o.ci = category.TagAccuracy, category.CI.TagAccuracy
		} else {
			for _, x := range report.PerCategory {
				tagged += x.TagSupport
			}
		}
		if tagged == 0 {
			o.void = "no positive row of " + c.On + " carries a tag: nothing can be measured"
		}
		return o, nil
	case "gain":
		base := byKeywords
		if c.Over == "majority" {
			base = byMajority
		}
		x := d.Gains[c.Over].MacroF1
		return observation{value: x.Value, ci: x.CI, samples: func() []Sample { return m.worse(set, byModel, base) }}, nil
	case "masked_gap":
		return observation{value: d.MaskedGap.MacroF1.Value, ci: d.MaskedGap.MacroF1.CI, samples: func() []Sample { return m.worse(set, byMasked, byModel) }}, nil
	case "no_rule_fired":
		x := d.NoRuleFired
		if x.Rows == 0 {
			void = "a rule fired on every row of " + c.On
		}
		return observation{value: x.MicroF1, ci: x.CI.MicroF1, where: fmt.Sprintf("%d rows", x.Rows), void: void, samples: func() []Sample { return m.wrong(set, rowsWithoutRules(set), -1, anyError) }}, nil
	case "calibration":
		return m.calibration(c, report, d, set), nil
	case "support", "train_support":
		return m.support(c, report, f.Train), nil
	case "weak_domain":
		return m.weakestSegment(c, report, d.Segments[byDomain], set), nil
	case "weak_length":
		return m.weakestSegment(c, report, d.Segments[byLength], set), nil
	case "drift_labels":
		return observation{value: f.Drift[c.On].Labels, where: f.Drift[c.On].Against}, nil
	case "drift_lengths":
		return observation{value: f.Drift[c.On].Lengths, where: f.Drift[c.On].Against}, nil
	case "leak":
		return observation{value: float64(len(f.leaks[c.On])), samples: func() []Sample { return leaked(set, f.leaks[c.On]) }}, nil
	case "reload":
		return p.reload(ctx, set)
	case "fallback":
		return p.fallback(ctx, set)
	}
	return observation{}, fmt.Errorf("unknown check %q", c.ID)
}

func (m *measurer) calibration(c Check, report metrics.Report, d *Details, s *evaluationSet) observation {
	o := observation{where: c.Category, value: -1}
	for _, category := range m.t.Categories {
		if c.Category == category.Name || c.Category == "" && report.PerCategory[category.Name].Support >= metrics.MinSupport && d.Calibration[category.Name].ECE > o.value {
			o.value, o.where = d.Calibration[category.Name].ECE, category.Name
		}
	}
	if o.value < 0 {
		return observation{void: fmt.Sprintf("no category has %d positives", metrics.MinSupport)}
	}
	k := m.t.Index(o.where)
	o.samples = func() []Sample { return m.wrong(s, allRows(s), k, anyError) }
	if c.Category != "" {
		o.where = ""
	}
	return o
}

func (m *measurer) support(c Check, report metrics.Report, counts TrainCounts) observation {
	positives := func(name string) int {
		if c.ID == "train_support" {
			return counts.Positives[name]
		}
		return report.PerCategory[name].Support
	}
	if c.Category != "" {
		return observation{value: float64(positives(c.Category))}
	}
	o := observation{value: math.Inf(1)}
	for _, name := range m.t.Names() {
		if n := float64(positives(name)); n < o.value {
			o.value, o.where = n, name
		}
	}
	return o
}

func (m *measurer) weakestSegment(c Check, report metrics.Report, segments []Segment, s *evaluationSet) observation {
	x, ok := weakest(segments, c.Rows)
	if !ok {
		return observation{where: fmt.Sprintf("none has %d rows", c.Rows)}
	}
	return observation{
		value: report.MicroF1 - x.MicroF1, where: fmt.Sprintf("%s, %d rows", x.Name, x.Rows),
		samples: func() []Sample { return m.wrong(s, x.at, -1, anyError) },
	}
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
