package verify

import (
	"context"
	"math"
)

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
