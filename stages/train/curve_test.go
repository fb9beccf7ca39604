package train

import (
	"slices"
	"testing"

	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/stages/frozen"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

// TestCurve: where people made the labels, train notes what more of them would bring; where
// rules did, more rows are had for nothing and there is no curve. Outputs are the same.
func TestCurve(t *testing.T) {
	dir := encodertest.Tiny(t)
	run := func(source string) ([]frozen.CurvePoint, string) {
		set := headlines(150, 1)
		for i := range set {
			set[i].LabelSource = source
		}
		a := attempt(t, headsOptions(dir))
		a.Inputs["train"], a.Inputs["val"] = parquet(t, set), parquet(t, set[:1])
		r := stagetest.MustRun(t, a)
		points, _ := r.Notes[frozen.NoteCurve].([]frozen.CurvePoint)
		return points, r.Outputs["model"].Digest
	}
	points, byHand := run("columns")
	var rows []int
	for _, p := range points {
		rows = append(rows, p.Rows)
	}
	if !slices.Equal(rows, []int{10, 20, 50, 100, 120}) || points[4].MacroF1 < 0.6 || points[0].MacroF1 >= points[4].MacroF1 {
		t.Errorf("the curve is %v", points)
	}
	byRules, digest := run("rules")
	if byRules != nil || digest != byHand {
		t.Errorf("labels of rules have the curve %v; models %s and %s", byRules, digest, byHand)
	}
}
