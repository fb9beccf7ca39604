package verify

import (
	"context"
	"fmt"

	"github.com/sprint-ml/sprint/ml/metrics"
)

// checkMacroF1 is void where no category has positives enough for its F1 to say
// something.
func checkMacroF1(_ context.Context, in checkInput) (observation, error) {
	o := observation{value: in.report.MacroF1, ci: in.report.CI.MacroF1, samples: in.mistakes(-1, anyError)}
	if len(in.report.Unsupported) == len(in.m.t.Categories) {
		o.void = fmt.Sprintf("no category has %d positives", metrics.MinSupport)
	}
	return o, nil
}

func checkMicroF1(_ context.Context, in checkInput) (observation, error) {
	return observation{value: in.report.MicroF1, ci: in.report.CI.MicroF1, samples: in.mistakes(-1, anyError)}, nil
}

func checkPrecision(_ context.Context, in checkInput) (observation, error) {
	x := in.category()
	return observation{value: x.Precision, ci: x.CI.Precision, void: in.withoutPositives(), samples: in.mistakes(in.index(), falseAlarm)}, nil
}

func checkRecall(_ context.Context, in checkInput) (observation, error) {
	x := in.category()
	return observation{value: x.Recall, ci: x.CI.Recall, void: in.withoutPositives(), samples: in.mistakes(in.index(), missed)}, nil
}

func checkF1(_ context.Context, in checkInput) (observation, error) {
	x := in.category()
	return observation{value: x.F1, ci: x.CI.F1, void: in.withoutPositives(), samples: in.mistakes(in.index(), anyError)}, nil
}

// checkTagAccuracy is of one category, or else of all.
func checkTagAccuracy(_ context.Context, in checkInput) (observation, error) {
	o := observation{value: in.details.TagAccuracy.Value, ci: in.details.TagAccuracy.CI, samples: func() []Sample { return in.m.wrongTags(in.set, in.index()) }}
	tagged := in.category().TagSupport
	if in.check.Category != "" {
		o.value, o.ci = in.category().TagAccuracy, in.category().CI.TagAccuracy
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
