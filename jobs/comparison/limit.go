package comparison

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/ml/metrics"
)

// Limit is a change that is not taken, as a user writes it: "macro_f1 < -0.01".
type Limit struct {
	Figure string // macro_f1, micro_f1, or f1.CATEGORY
	Below  bool   // fail below Value, else above it
	Value  float64
}

// ParseLimit reads a limit.
func ParseLimit(text string) (Limit, error) {
	form := regexp.MustCompile(`^\s*([a-z0-9_.-]+)\s*([<>])\s*([-+]?[0-9.]+)\s*$`)
	m := form.FindStringSubmatch(text)
	if m == nil {
		return Limit{}, &diagnostic.UsageError{Message: fmt.Sprintf("%q is no limit of a change", text), Hint: "write it as 'macro_f1 < -0.01': fail if macro-F1 fell by more than 0.01"}
	}
	v, err := strconv.ParseFloat(m[3], 64)
	if err != nil {
		return Limit{}, &diagnostic.UsageError{Message: fmt.Sprintf("%q in %q is no number", m[3], text)}
	}
	return Limit{Figure: m[1], Below: m[2] == "<", Value: v}, nil
}

// Check reports whether a comparison is beyond the limit, and says so. An unknown figure,
// or one that says nothing, is an error: a gate that never closes is none.
func (l Limit) Check(c *Comparison) (beyond bool, message string, err error) {
	x, known := c.Figure(l.Figure)
	if !known {
		return false, "", &diagnostic.UsageError{Message: fmt.Sprintf("the runs have no figure %q", l.Figure), Hint: diagnostic.Suggest(l.Figure, c.Figures())}
	}
	if x.Before == nil {
		why := fmt.Sprintf("%d positives among %d rows, it wants %d", x.Support, c.Rows, metrics.MinSupport)
		if l.Figure == c.MacroF1.Name {
			why = fmt.Sprintf("no category has %d positives among %d rows", metrics.MinSupport, c.Rows)
		}
		return true, l.Figure + " says nothing: " + why, nil
	}
	beyond = l.Below && x.Change < l.Value || !l.Below && x.Change > l.Value
	word := "is within"
	if beyond {
		word = "is beyond"
	}
	return beyond, fmt.Sprintf("%s changed by %+.4f, which %s the limit of %+.4f", l.Figure, x.Change, word, l.Value), nil
}
