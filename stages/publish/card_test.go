package publish

import (
	"strings"
	"testing"
)

// TestCardOfOneLabel: the card of a model of one label per row says so, its accuracy and
// what it takes for what.
func TestCardOfOneLabel(t *testing.T) {
	const metrics = `{"labels":"single","test":{"rows":4,"accuracy":0.75,"per_category":{"fire":{"f1":0.5}}},
		"details":{"test":{"choice":{"categories":["fire",""],"confusion":[[2,1],[0,1]],"calibration":{"ece":0.034}}}}}`
	got := card("news", []byte(metrics), []byte("{}"))
	for _, want := range []string{"single-label", "one category or none", "accuracy 0.750", "| fire | none |", "| fire | 2 | 1 |", "| none | 0 | 1 |", "off by 0.034"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "Thresholds") {
		t.Error("a model without thresholds names some")
	}
	if several := card("news", []byte(`{"test":{"rows":4,"per_category":{}}}`), []byte("{}")); !strings.Contains(several, "multi-label") || strings.Contains(several, "accuracy") {
		t.Errorf("of several labels:\n%s", several)
	}
}
