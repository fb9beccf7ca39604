package document

import (
	"fmt"
	"strings"
)

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
