package refresh_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/refresh"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/storage/models"
)

// month is when the n-th window is refreshed.
func month(n int) time.Time { return time.Date(2026, time.Month(n), 1, 6, 0, 0, 0, time.UTC) }

// driftIn is that of a month: none for four, then more and more until it is all.
func driftIn(n int) float64 { return min(1, max(0, float64(n-4)*0.25)) }

// measured is the macro-F1 of answers about rows whose labels are true.
func measured(of []rows.Row, a *refresh.Answers) float64 {
	truths, given := make([]metrics.Truth, len(of)), make([]metrics.Answer, len(of))
	for i, x := range of {
		truths[i] = metrics.Truth{Positive: make([]bool, len(categories))}
		for k := range categories {
			truths[i].Positive[k] = x.Labels[k].Score > 0
		}
		given[i] = metrics.Answer{Positive: a.Positive[i]}
	}
	return metrics.Score(categories, truths, given, nil).MacroF1
}

// year is what came of twelve monthly windows.
type year struct {
	table           string
	near, estimates int // estimates of F1, and those within 0.05 of the truth
	least, most     float64
	trainings       int
	alarms          []string // before anything drifted
}

// play refreshes a year of windows that drift from the fifth month on; fresh is that of the
// world. In month 8 people label new rows, and the gold set changes.
func play(t *testing.T, seed uint64, fresh float64) (y year) {
	t.Helper()
	seed *= 10000
	old := world{}.window(seed+1000, 400)
	p := open(t, map[string]string{"gold.csv": csvOf(old, time.Time{})})
	registry := models.In(p.store)
	var table strings.Builder
	for n := 1; n <= 12; n++ {
		w := world{driftIn(n), fresh}
		window := w.window(seed+uint64(n), 900)
		if n == 8 {
			gold := append(slices.Clone(old), w.window(seed+2000, 400)...)
			if err := os.WriteFile(filepath.Join(p.dir, "gold.csv"), []byte(csvOf(gold, time.Time{})), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		before := p.champion(t)
		by := &toyRuns{rows: window}
		out, err := p.refresh(t.Context(), by, month(n))
		if err != nil {
			t.Fatalf("month %d: %v", n, err)
		}
		line := fmt.Sprintf("%2d  drift %.2f  %-8s ", n, w.drift, out.Decision)
		if out.Expected != nil {
			champion, err := registry.ReleaseAt(t.Context(), "world", before)
			if err != nil {
				t.Fatal(err)
			}
			a, err := by.Answer(t.Context(), champion, window)
			if err != nil {
				t.Fatal(err)
			}
			real, estimate := measured(window, a), out.Expected.Window.MacroF1.Value
			if y.estimates++; math.Abs(real-estimate) <= 0.05 {
				y.near++
			}
			y.least, y.most = min(y.least, estimate-real), max(y.most, estimate-real)
			line += fmt.Sprintf("F1 of %s estimated %.3f, true %.3f  ", out.Champion.Ref, estimate, real)
		}
		if line += out.Why; out.Trained != "" {
			y.trainings++
			line += " [trained: " + out.Trained + "]"
		}
		fmt.Fprintln(&table, line)
		for _, note := range out.Notes {
			fmt.Fprintln(&table, "    "+note)
		}
		for _, r := range out.Due {
			if n > 1 && n <= 4 && r.Due {
				y.alarms = append(y.alarms, fmt.Sprintf("month %d: %s", n, r.Text))
			}
		}
		if after := p.champion(t); (after != before) != (out.Decision == refresh.Promoted) {
			t.Errorf("month %d: the champion was %d and is %d, %s", n, before, after, out.Decision)
		}
	}
	y.table = table.String()
	return y
}

// TestTwelveMonths: nothing alarms before the drift, the drift does, F1 is estimated well
// without labels, and the champion only ever moves by the gate.
func TestTwelveMonths(t *testing.T) {
	y := play(t, 0, 0.2)
	t.Logf("\n%s%d of %d estimates lie within 0.05 of the truth", y.table, y.near, y.estimates)
	if y.near < 9 {
		t.Errorf("%d of %d estimates lie within 0.05 of the truth", y.near, y.estimates)
	}
	if y.trainings < 3 {
		t.Errorf("%d trainings in a year that drifts", y.trainings)
	}
	if len(y.alarms) > 0 {
		t.Errorf("alarms before anything drifted: %q", y.alarms)
	}
}

// TestManyYears says how much of that is the luck of one draw, and what new words do to the
// estimate, which cannot see what they mean.
func TestManyYears(t *testing.T) {
	years := []int{1, 10, 20}[jobstest.Tier]
	for _, fresh := range []float64{0, 0.2, 0.5} {
		good, near, estimates, alarms, least, most := 0, 0, 0, 0, 0.0, 0.0
		for seed := range uint64(years) {
			y := play(t, seed, fresh)
			near, estimates, alarms = near+y.near, estimates+y.estimates, alarms+len(y.alarms)
			least, most = min(least, y.least), max(most, y.most)
			if y.near >= 9 {
				good++
			}
		}
		t.Logf("%.0f %% new words: %d of %d estimates within 0.05 (from %+.3f to %+.3f), %d of %d years with 9 or more, %d alarms before the drift", 100*fresh, near, estimates, least, most, good, years, alarms)
		if alarms > years*3/20 {
			t.Errorf("%d alarms in %d months without drift", alarms, 3*years)
		}
	}
}
