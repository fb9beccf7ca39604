package document

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// Verification is what a verify stage found out.
type Verification struct {
	Stage   string
	Metrics Metrics
	Checks  []Check // those of latency too
	// Model are the figures of the set that counts, Details beside them, On the
	// set in words.
	Model   Scores
	Details *Details
	On      string
}

// ReadVerification reads the outputs of a stage; ok is false if it is of another
// kind or has no metrics.
func ReadVerification(ctx context.Context, s *storage.Store, r runs.StageResult) (v Verification, ok bool) {
	if r.Kind != "verify" {
		return v, false
	}
	if v.Metrics, ok = Read[Metrics](ctx, s, r, "metrics"); !ok {
		return v, false
	}
	v.Stage, v.On = r.Name, "the test split, labelled by the rules themselves"
	if v.Metrics.Gold != nil {
		v.On = "the gold set"
	}
	v.Model, _ = v.Metrics.Measured()
	v.Details = v.Metrics.MeasuredDetails()
	checks, ok := Read[Checks](ctx, s, r, "checks")
	timings, timed := Read[Timings](ctx, s, r, "timings")
	if ok && timed {
		v.Checks = slices.Concat(checks.Checks, timings.Checks)
	}
	return v, true
}

// Prediction is a line of predictions.jsonl.
type Prediction struct {
	On         string                    `json:"on"`
	ID         string                    `json:"id"`
	URL        string                    `json:"url"`
	Title      string                    `json:"title"`
	Categories map[string]CategoryAnswer `json:"categories"`
	Rules      []string                  `json:"rules"` // that fired, as category:rule
}

// CategoryAnswer is what is true of a category of a row, and what was answered.
type CategoryAnswer struct {
	Truth    bool    `json:"truth"`
	Unknown  bool    `json:"unknown"`
	Score    float64 `json:"score"`
	Answer   bool    `json:"answer"`
	Keywords bool    `json:"keywords"`
}

// Predictions are the predictions of the measured set.
func Predictions(st Stage) (out []Prediction, missing string) {
	data, missing := raw(st, "predictions")
	if missing != "" {
		return nil, missing
	}
	out, bad := lines[Prediction](data)
	if len(out) == 0 {
		return nil, fmt.Sprintf("%s.predictions has no line that a report reads (%d that it does not)", st.Name, bad)
	}
	return out, ""
}

// ReadPredictions reads them of a stage that is not loaded; missing says why there are none.
func ReadPredictions(ctx context.Context, s *storage.Store, r runs.StageResult) (out []Prediction, missing string, err error) {
	d, err := loadOutput(ctx, s, r.Name+".predictions", r.Outputs["predictions"], limits["predictions"])
	if err != nil {
		return nil, "", err
	}
	out, missing = Predictions(Stage{StageResult: r, Documents: map[string]Output{"predictions": d}})
	return out, missing, nil
}

// Checks are the demands of a plan and whether they hold: the output checks.
type Checks struct {
	Passed bool    `json:"passed"`
	Checks []Check `json:"checks"`
}

// Check is one demand. Severity is error or warn.
type Check struct {
	ID       string    `json:"id"`
	On       string    `json:"on"`
	Over     string    `json:"over"`
	Category string    `json:"category"`
	Severity string    `json:"severity"`
	Min      *float64  `json:"min"`
	Max      *float64  `json:"max"`
	Lower    *float64  `json:"lower"` // of the interval's lower end
	Observed float64   `json:"observed"`
	CI       *Interval `json:"ci"`
	Where    string    `json:"where"`
	Void     string    `json:"void"` // why nothing could be measured
	Passed   bool      `json:"passed"`
	Message  string    `json:"message"`
	Samples  []struct {
		ID       string `json:"id"`
		Title    string `json:"title"`
		Expected string `json:"expected"`
		Answered string `json:"answered"`
	} `json:"samples"`
}

// Timings are how fast the model answers: the output timings.
type Timings struct {
	Device string  `json:"device"`
	Texts  int     `json:"texts"`
	P50    float64 `json:"latency_p50_ms"`
	P99    float64 `json:"latency_p99_ms"`
	Rate   float64 `json:"rows_per_second"`
	Checks []Check `json:"checks"` // of latency: they hold for a machine
}

// Name is a check in words: "gain on gold over keywords".
func (c Check) Name() string {
	name := c.ID
	if c.Category != "" {
		name += " of " + c.Category
	}
	switch c.ID {
	case "train_support", "latency_p50", "latency_p99", "fallback", "reload": // of no set
	default:
		name += " on " + c.On
	}
	if c.Over != "" {
		name += " over " + c.Over
	}
	return name
}

// Demand is what a check asks for, in words.
func (c Check) Demand() string {
	var out []string
	if c.Min != nil {
		out = append(out, fmt.Sprintf("at least %.4g", *c.Min))
	}
	if c.Max != nil {
		out = append(out, fmt.Sprintf("at most %.4g", *c.Max))
	}
	if c.Lower != nil {
		out = append(out, fmt.Sprintf("interval above %.4g", *c.Lower))
	}
	return strings.Join(out, ", ")
}

// The outcomes of a check.
const (
	Pass = "pass"
	Warn = "warn"
	Fail = "FAIL"
)

// Outcome is Pass, Fail, or Warn for a check that fails and closes no gate.
func (c Check) Outcome() string {
	switch {
	case c.Passed:
		return Pass
	case c.Severity == "warn":
		return Warn
	}
	return Fail
}
