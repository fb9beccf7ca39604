package refresh_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// TestTwelveMonths: a year of windows that drift from the fifth month on. Nothing alarms
// before, the drift does, F1 is estimated well without labels, and an alias only ever
// moves by the gate. In month 8 people label new rows, and the gold set changes.
func TestTwelveMonths(t *testing.T) {
	p := open(t, nil)
	registry := models.In(p.store)
	var table strings.Builder
	near, estimates, trainings := 0, 0, 0
	for n := 1; n <= 12; n++ {
		w := world{driftIn(n), 0.2}
		window := w.window(uint64(n), 900)
		if n == 8 {
			gold := append(world{}.window(1000, 400), w.window(2000, 400)...)
			if err := os.WriteFile(filepath.Join(p.dir, "gold.csv"), []byte(csvOf(gold, time.Time{})), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		before, err := registry.AliasVersion(t.Context(), "world", models.Champion)
		if err != nil {
			t.Fatal(err)
		}
		by := &toyRuns{rows: window}
		out, err := p.refresh(t.Context(), by, month(n))
		if err != nil {
			t.Fatalf("month %d: %v", n, err)
		}
		line := fmt.Sprintf("%2d  drift %.2f  %-8s ", n, w.drift, out.Decision)
		if out.Trained != "" {
			trainings++
		}
		if out.Expected != nil {
			old, err := registry.ReleaseAt(t.Context(), "world", before)
			if err != nil {
				t.Fatal(err)
			}
			a, err := by.Answer(t.Context(), old, window)
			if err != nil {
				t.Fatal(err)
			}
			real, estimate := measured(window, a), out.Expected.Window.MacroF1.Value
			if estimates++; math.Abs(real-estimate) <= 0.05 {
				near++
			}
			line += fmt.Sprintf("F1 of %s estimated %.3f, true %.3f  ", out.Champion.Ref, estimate, real)
		}
		if line += out.Why; out.Trained != "" {
			line += " [trained: " + out.Trained + "]"
		}
		fmt.Fprintln(&table, line)
		for _, note := range out.Notes {
			fmt.Fprintln(&table, "    "+note)
		}
		for _, m := range out.Drift {
			if m.Alarm && n <= 4 {
				t.Errorf("month %d: %s alarms by %v", n, m.Name, m.Index)
			}
		}
		if n > 1 && n <= 4 && out.Decision != refresh.NotDue {
			t.Errorf("month %d: %s", n, out.Decision)
		}
		after, err := registry.AliasVersion(t.Context(), "world", models.Champion)
		if err != nil || (after != before) != (out.Decision == refresh.Promoted) {
			t.Errorf("month %d: the champion was %d and is %d, %s (%v)", n, before, after, out.Decision, err)
		}
	}
	t.Logf("\n%s%d of %d estimates lie within 0.05 of the truth", table.String(), near, estimates)
	if near < 9 {
		t.Errorf("%d of %d estimates lie within 0.05 of the truth", near, estimates)
	}
	if trainings < 3 {
		t.Errorf("%d trainings in a year that drifts", trainings)
	}
}
