package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
	// observe measures the check; nil for those of latency, which timings.json has.
	observe func(context.Context, checkInput) (observation, error)
}

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
	{id: "precision", doc: "of one category", category: always, interval: true, observe: checkPrecision},
	{id: "recall", doc: "of one category", category: always, interval: true, observe: checkRecall},
	{id: "f1", doc: "of one category", category: always, interval: true, observe: checkF1},
	{id: "tag_accuracy", doc: "right tags among positives that carry one; of one category, else of all", category: optional, interval: true, observe: checkTagAccuracy},
	{id: "gain", doc: "macro-F1 less that of over (keywords or majority) on the same rows", interval: true, observe: checkGain},
	{id: "masked_gap", doc: "macro-F1 less that on texts whose rule words are hidden", interval: true, observe: checkMaskedGap},
	{id: "no_rule_fired", doc: "micro-F1 on the rows where no rule fired: what the rules cannot do", interval: true, observe: checkNoRuleFired},
	{id: "calibration", doc: "expected calibration error: how far a score, cut to [0,1], is from the share of positives, over ten steps; of one category, else the worst with 8 positives", max: new(0.15), category: optional, observe: checkCalibration},
	{id: "support", doc: "positives of one category, else of the rarest", min: new(8.0), category: optional, observe: checkSupport},
	{id: "train_support", doc: "the same among the training rows", min: new(8.0), category: optional, observe: checkSupport},
	{id: "weak_domain", doc: "micro-F1 less that of the worst host of at least `rows` rows", max: new(0.2), observe: checkWeakDomain},
	{id: "weak_length", doc: "the same by length of title: under 30, 50, 70, 90, 120 characters, or more", max: new(0.2), observe: checkWeakLength},
	{id: "drift_labels", doc: "population stability index of the predicted categories against the release before this model, else against the training rows; 0.1 is a little, 0.25 much", max: new(0.25), observe: checkDriftLabels},
	{id: "drift_lengths", doc: "the same of the lengths of titles", max: new(0.25), observe: checkDriftLengths},
	{id: "latency_p50", doc: "median milliseconds for one text", max: new(100.0)},
	{id: "latency_p99", doc: "milliseconds that 99 of 100 texts stay under", max: new(500.0)},
	{id: "reload", doc: "largest difference of an answer when the saved bytes are read again: none is allowed", max: new(0.0), limited: true, observe: checkReload},
	{id: "fallback", doc: "texts that the keywords do not answer, or do not say so, when the model cannot be loaded: none is allowed", max: new(0.0), limited: true, observe: checkFallback},
	{id: "leak", doc: "rows that are in train too, by url, id, title or as near-duplicates: none is allowed", max: new(0.0), limited: true, observe: checkLeak},
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
