package refresh

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/comparison"
	"github.com/sprint-ml/sprint/ml/drift"
	"github.com/sprint-ml/sprint/ml/metrics"
)

const day = 24 * time.Hour

// TestReasons: each rule asks for a training on one side of its limit and not on the
// other, and the cooldown is told first where one has to wait.
func TestReasons(t *testing.T) {
	rules := config.Refresh{MaxAge: config.Span(30 * day), Drift: 0.2, F1Drop: 0.05, Rows: 100, Cooldown: config.Span(7 * day)}
	f1 := func(value, high float64) *drift.Expected {
		return &drift.Expected{MacroF1: metrics.Estimate{Value: value, CI: metrics.Interval{value - 0.01, high}}}
	}
	calm := findings{champion: true, age: 29 * day, fresh: 99, trained: f1(0.8, 0.81), now: f1(0.76, 0.77), measures: []Measure{{Name: "domain", Index: metrics.Estimate{Value: 0.3, CI: metrics.Interval{0.19, 0.4}}}}}
	for name, c := range map[string]struct {
		change func(*findings)
		due    string // what is due
		text   string
	}{
		"calm":         {func(*findings) {}, "", "the champion is 29d old, 30d is the limit"},
		"old":          {func(f *findings) { f.age = 30 * day }, "age", "30d old"},
		"age unknown":  {func(f *findings) { f.age = 0 }, "", "nobody knows how old"},
		"drifted":      {func(f *findings) { f.measures[0].Alarm = true }, "drift", "domain 0.30 (0.19 to 0.40) drifted"},
		"no drift":     {func(f *findings) { f.measures = nil }, "", "could not be measured"},
		"worse":        {func(f *findings) { f.now = f1(0.7, 0.74) }, "f1", "estimated at 0.700"},
		"f1 unknown":   {func(f *findings) { f.now = nil }, "", "limit"},
		"new rows":     {func(f *findings) { f.fresh = 100 }, "rows", "100 rows of the window are new to the champion"},
		"no champion":  {func(f *findings) { *f = findings{} }, "champion", "has no champion"},
		"cooling down": {func(f *findings) { f.age, f.sinceTraining, f.lastRun = 40*day, 6*day, "r" }, "age", "run r trained 6d ago, and 7d must pass"},
		"cooled down":  {func(f *findings) { f.age, f.sinceTraining = 40*day, 7*day }, "age", "40d old"},
		"calm again":   {func(f *findings) { f.sinceTraining = day }, "", "29d old"},
	} {
		f := calm
		f.measures = slices.Clone(calm.measures)
		c.change(&f)
		var due, texts []string
		for _, r := range reasons(rules, f) {
			texts = append(texts, r.Text)
			if r.Due {
				due = append(due, r.What)
			}
		}
		if got := strings.Join(due, " "); got != c.due || !strings.Contains(strings.Join(texts, "\n"), c.text) {
			t.Errorf("%s: due by %q, want %q and %q in %q", name, got, c.due, c.text, texts)
		}
		if waits := strings.Contains(texts[0], "must pass between"); waits != (name == "cooling down") {
			t.Errorf("%s: it waits for the cooldown: %q", name, texts)
		}
	}
	if none := reasons(config.Refresh{}, calm); len(none) != 0 {
		t.Errorf("without limits: %v", none)
	}
}

// TestNothingInCommon: models of other categories are compared by nothing, which is no word
// of the gold set's size.
func TestNothingInCommon(t *testing.T) {
	if why, refusal := weigh(-1, -1, &comparison.Comparison{Rows: 400}, nil); why != "" || !strings.Contains(refusal, "no category in common") {
		t.Errorf("%q, %q", why, refusal)
	}
}
