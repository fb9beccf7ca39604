package verify

import (
	"reflect"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// TestEnum: the plan's ids are those that are defined, no more and no less.
func TestEnum(t *testing.T) {
	field, _ := reflect.TypeFor[Check]().FieldByName("ID")
	var ids []string
	for _, d := range definitions {
		ids = append(ids, d.id)
		if d.doc == "" || !strings.Contains(reference(), "  "+d.id) {
			t.Errorf("%s has no line on the reference page", d.id)
		}
		if d.observe == nil {
			t.Errorf("%s: nothing measures it", d.id)
		}
	}
	if got, want := field.Tag.Get("enum"), strings.Join(ids, "|"); got != want {
		t.Errorf("enum %s\nwant %s", got, want)
	}
}

func number(x float64) *float64 { return &x }

// TestCheckOptions: a check that could not be evaluated, or always passes, is no check.
func TestCheckOptions(t *testing.T) {
	for name, c := range map[string]struct {
		check Check
		want  string // path of the problem, empty for none
	}{
		"good":                      {Check{ID: "macro_f1", On: "gold", Min: number(0.5)}, ""},
		"lower end alone":           {Check{ID: "gain", On: "gold", Over: "keywords", Lower: number(0)}, ""},
		"limits of its own":         {Check{ID: "calibration", On: "gold"}, ""},
		"always passes":             {Check{ID: "macro_f1", On: "gold"}, "checks.0.id"},
		"limit for a proof":         {Check{ID: "reload", On: "gold", Max: number(1)}, "checks.0.id"},
		"min above max":             {Check{ID: "micro_f1", On: "gold", Min: number(0.9), Max: number(0.1)}, "checks.0.min"},
		"gain over nothing":         {Check{ID: "gain", On: "gold", Min: number(0)}, "checks.0.over"},
		"recall of nothing":         {Check{ID: "recall", On: "gold", Min: number(0)}, "checks.0.category"},
		"interval of what has none": {Check{ID: "calibration", On: "gold", Lower: number(0)}, "checks.0.lower"},
		"bad model name":            {Check{ID: "drift_labels", On: "gold", Release: "A b"}, "checks.0.release"},
	} {
		o := Options{Gold: "gold.csv", Checks: []Check{c.check}}
		var got []string
		for _, p := range o.Check() {
			got = append(got, p.Path)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: problems at %v, want %q", name, got, c.want)
		}
	}
	o := Options{Checks: []Check{{ID: "macro_f1", On: "gold", Min: number(0)}}}
	if p := o.Check(); len(p) != 1 || p[0].Path != "checks.0.on" {
		t.Errorf("a check on gold without gold: %v", p)
	}
}

// TestNothingAveraged: a difference of two macro-F1s that no category counts in is void, and
// passes no limit: it is 0 whatever the model answers.
func TestNothingAveraged(t *testing.T) {
	few := &taxonomy.Taxonomy{Categories: []taxonomy.Category{{Name: "a"}, {Name: "b"}}}
	for _, id := range []string{"macro_f1", "gain", "masked_gap"} {
		d := definitionOf(id)
		for unsupported, void := range map[string]bool{"a": false, "a b": true} {
			in := checkInput{report: metrics.Report{CI: &metrics.ReportCI{}}, check: Check{ID: id, On: "gold", Over: "keywords"}, details: &Details{}, m: &measurer{t: few}}
			in.report.Unsupported = strings.Fields(unsupported)
			o, err := d.observe(t.Context(), in)
			if err != nil || (o.void != "") != void {
				t.Errorf("%s with %s too small: void %q, %v", id, unsupported, o.void, err)
			}
		}
	}
}
