package render

import (
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/report/document"
)

// TestByLanguage: what is shown after a run names each language, and says nothing of one
// alone.
func TestByLanguage(t *testing.T) {
	parts := []document.Segment{{Name: "sv", Rows: 40, MicroF1: 0.8}, {Name: "fi", Rows: 12, MicroF1: 0.25}}
	v := &document.Verification{Details: &document.Details{Segments: map[string][]document.Segment{"language": parts}}}
	if got := strings.Join(remarks(v), "\n"); got != "micro-F1 by language: sv 0.800 (40 rows), fi 0.250 (12 rows)" {
		t.Errorf("%q", got)
	}
	v.Details.Segments["language"] = parts[:1]
	if got := remarks(v); len(got) > 0 {
		t.Errorf("%q", got)
	}
}

// TestShareRight: the share of right answers and its interval are both in percent, and
// without an interval there are no brackets.
func TestShareRight(t *testing.T) {
	right := 0.85
	v := &document.Verification{Details: &document.Details{Choice: &document.Choice{Calibration: document.Calibration{ECE: 0.1}}}}
	v.Model.Accuracy = &right
	if got := strings.Join(remarks(v), "\n"); got != "85.0 % of the rows are answered right; probabilities are off by 0.100 on average" {
		t.Errorf("%q", got)
	}
	v.Model.CI.Accuracy = &document.Interval{0.78, 0.91}
	if got := strings.Join(remarks(v), "\n"); got != "85.0 % of the rows are answered right (78.0 to 91.0); probabilities are off by 0.100 on average" {
		t.Errorf("%q", got)
	}
}

// TestNoMacro: where no category has enough rows there is no macro-F1, and 0 is not shown
// for it.
func TestNoMacro(t *testing.T) {
	few := document.Scores{PerCategory: map[string]document.CategoryScore{"a": {F1: 1, Support: 6}}, Unsupported: []string{"a"}, MicroF1: 0.9}
	few.CI.MacroF1 = &document.Interval{}
	v := &document.Verification{Model: few, Details: &document.Details{}, Metrics: document.Metrics{Masked: &few, Baselines: map[string]document.Scores{"heads": few}}}
	want := "there is no macro-F1: no category has 8 rows\nwith the rules' words hidden the model's micro-F1 is 0.900"
	if got := strings.Join(remarks(v), "\n"); got != want {
		t.Errorf("%q", got)
	}
	for _, row := range figures(v) {
		if row[0] == "macro-F1" {
			t.Errorf("%q", row)
		}
	}
}
