package comparison

import "github.com/sprint-ml/sprint/jobs/report/document"

// Predictions compares what two models answered on one set, as Runs does. Nil means that
// they have no row and no category in common.
func Predictions(before, after []document.Prediction) *Comparison {
	if len(before) == 0 || len(after) == 0 {
		return nil
	}
	p := pairUp(before, after)
	if len(p.truths) == 0 {
		return nil
	}
	return p.compare()
}
