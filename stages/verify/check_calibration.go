package verify

import (
	"context"
	"fmt"

	"github.com/sprint-ml/sprint/ml/metrics"
)

// checkCalibration is of one category, or else of the worst that has positives
// enough.
func checkCalibration(_ context.Context, in checkInput) (observation, error) {
	c, m := in.check, in.m
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
