package train

import (
	"testing"

	"github.com/sprint-ml/sprint/stages/rows"
)

// TestHandWeight: what people said weighs more, alone, in a vote, and where it decided
// one category of a row of rules.
func TestHandWeight(t *testing.T) {
	o := Options{HandWeight: 3}
	for source, want := range map[string][2]float32{
		"columns": {3, 3}, "rules": {1, 1}, "rules+columns": {3, 3},
		"rules;overlay=crime": {3, 1}, "overlay;rules=crime": {1, 3}, "": {1, 1}, "encoder": {1, 1},
	} {
		r := rows.Row{LabelSource: source}
		if got := [2]float32{o.handWeight(r.DecidedBy("crime")), o.handWeight(r.DecidedBy("sports"))}; got != want {
			t.Errorf("%q: %v, want %v", source, got, want)
		}
	}
	if (&Options{}).handWeight("columns") != 1 {
		t.Error("labels weigh nothing by default")
	}
}
