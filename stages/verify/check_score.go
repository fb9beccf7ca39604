package verify

import (
	"context"
	"fmt"
	"math"

	"github.com/sprint-ml/sprint/ml/metrics"
)

// checkMacroF1 is void where no category has positives enough for its F1 to say
// something.
func checkMacroF1(_ context.Context, in checkInput) (observation, error) {
	return in.averaged(observation{value: in.report.MacroF1, ci: in.report.CI.MacroF1, samples: in.mistakes(-1, anyError)}), nil
}

// averaged is an observation of a macro-F1, or of the difference of two. It is void where
// no category has enough positives: they are 0 there, which says nothing.
func (in checkInput) averaged(o observation) observation {
	if len(in.report.Unsupported) == len(in.m.t.Categories) {
		o.void = fmt.Sprintf("no category has %d positives", metrics.MinSupport)
	}
	return o
}

func checkMicroF1(_ context.Context, in checkInput) (observation, error) {
	return observation{value: in.report.MicroF1, ci: in.report.CI.MicroF1, samples: in.mistakes(-1, anyError)}, nil
}

// checkAccuracy is of rows of one label.
func checkAccuracy(_ context.Context, in checkInput) (observation, error) {
	if in.report.Accuracy == nil || in.details.Choice.Calibration.Rows == 0 {
		return observation{void: "no row of " + in.check.On + " has a label"}, nil
	}
	return observation{value: *in.report.Accuracy, ci: *in.report.CI.Accuracy, samples: in.mistakes(-1, anyError)}, nil
}

// checkCategory is of the precision, recall or F1 of one category.
func checkCategory(_ context.Context, in checkInput) (observation, error) {
	x := in.report.PerCategory[in.check.Category]
	o := observation{value: x.F1, ci: x.CI.F1, samples: in.mistakes(in.index(), anyError)}
	switch in.check.ID {
	case "precision":
		o.value, o.ci, o.samples = x.Precision, x.CI.Precision, in.mistakes(in.index(), falseAlarm)
	case "recall":
		o.value, o.ci, o.samples = x.Recall, x.CI.Recall, in.mistakes(in.index(), missed)
	}
	if x.Support == 0 {
		o.void = "no row of " + in.check.On + " is positive: nothing can be measured"
	}
	return o, nil
}

// checkTagAccuracy is of one category, or else of all.
func checkTagAccuracy(_ context.Context, in checkInput) (observation, error) {
	x := in.report.PerCategory[in.check.Category]
	o := observation{value: in.details.TagAccuracy.Value, ci: in.details.TagAccuracy.CI, samples: func() []Sample { return in.m.wrongTags(in.set, in.index()) }}
	tagged := x.TagSupport
	if in.check.Category != "" {
		o.value, o.ci = x.TagAccuracy, x.CI.TagAccuracy
	} else {
		for _, x := range in.report.PerCategory {
			tagged += x.TagSupport
		}
	}
	if tagged == 0 {
		o.void = "no positive row of " + in.check.On + " carries a tag: nothing can be measured"
	}
	return o, nil
}

// checkGain compares the model with a baseline on the same rows.
func checkGain(_ context.Context, in checkInput) (observation, error) {
	baseline := byKeywords
	if in.check.Over == "majority" {
		baseline = byMajority
	}
	x := in.details.Gains[in.check.Over].MacroF1
	return in.averaged(observation{value: x.Value, ci: x.CI, samples: func() []Sample { return in.m.worse(in.set, byModel, baseline) }}), nil
}

// checkMaskedGap is what the model loses when the rules' words are hidden.
func checkMaskedGap(_ context.Context, in checkInput) (observation, error) {
	x := in.details.MaskedGap.MacroF1
	return in.averaged(observation{value: x.Value, ci: x.CI, samples: func() []Sample { return in.m.worse(in.set, byMasked, byModel) }}), nil
}

// checkNoRuleFired is of the rows on which the rules cannot answer.
func checkNoRuleFired(_ context.Context, in checkInput) (observation, error) {
	x := in.details.NoRuleFired
	o := observation{
		value: x.MicroF1, ci: x.CI.MicroF1, where: fmt.Sprintf("%d rows", x.Rows),
		samples: func() []Sample { return in.m.wrong(in.set, rowsWithoutRules(in.set), -1, anyError) },
	}
	if x.Rows == 0 {
		o.void = "a rule fired on every row of " + in.check.On
	}
	return o, nil
}

// checkCalibration is of one category, or else of the worst that has positives
// enough.
func checkCalibration(_ context.Context, in checkInput) (observation, error) {
	c, m := in.check, in.m
	if choice := in.details.Choice; choice != nil && c.Category == "" {
		return observation{value: choice.Calibration.ECE, samples: in.mistakes(-1, anyError)}, nil
	}
	o := observation{where: c.Category, value: -1}
	for _, category := range m.t.Categories {
		if c.Category == category.Name || c.Category == "" && in.report.PerCategory[category.Name].Support >= metrics.MinSupport && in.details.Calibration[category.Name].ECE > o.value {
			o.value, o.where = in.details.Calibration[category.Name].ECE, category.Name
		}
	}
	if o.value < 0 {
		return observation{void: fmt.Sprintf("no category has %d positives", metrics.MinSupport)}, nil
	}
	o.samples = in.mistakes(m.t.Index(o.where), anyError)
	if c.Category != "" {
		o.where = ""
	}
	return o, nil
}

// checkSupport counts the positives of one category, or else of the rarest, on a
// set or among the training rows.
func checkSupport(_ context.Context, in checkInput) (observation, error) {
	c := in.check
	positives := func(name string) int {
		if c.ID == "train_support" {
			return in.figures.Train.Positives[name]
		}
		return in.report.PerCategory[name].Support
	}
	if c.Category != "" {
		return observation{value: float64(positives(c.Category))}, nil
	}
	o := observation{value: math.Inf(1)}
	for _, name := range in.m.t.Names() {
		if n := float64(positives(name)); n < o.value {
			o.value, o.where = n, name
		}
	}
	return o, nil
}
