package verify

import (
	"context"
	"fmt"
)

// checkGain compares the model with a baseline on the same rows.
func checkGain(_ context.Context, in checkInput) (observation, error) {
	baseline := byKeywords
	if in.check.Over == "majority" {
		baseline = byMajority
	}
	x := in.details.Gains[in.check.Over].MacroF1
	return observation{value: x.Value, ci: x.CI, samples: func() []Sample { return in.m.worse(in.set, byModel, baseline) }}, nil
}

// checkMaskedGap is what the model loses when the rules' words are hidden.
func checkMaskedGap(_ context.Context, in checkInput) (observation, error) {
	x := in.details.MaskedGap.MacroF1
	return observation{value: x.Value, ci: x.CI, samples: func() []Sample { return in.m.worse(in.set, byMasked, byModel) }}, nil
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
