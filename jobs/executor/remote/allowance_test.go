package remote

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

// TestAllowance: a worker counts what it may spend by its own clock, from its record until
// its runner says less, and again when that changes.
func TestAllowance(t *testing.T) {
	store := stagetest.Store(t)
	a := &runs.Attempt{Run: "20260102-030405-00012345", Stage: "train", Number: 1}
	l := &allowance{store: store, every: time.Millisecond}
	if _, limited := l.left(a); limited {
		t.Error("an attempt without a limit has one")
	}
	a.Spend = time.Hour
	near := func(want time.Duration) bool {
		left, limited := l.left(a)
		return limited && left <= want && left > want-time.Minute
	}
	await := func(want time.Duration) {
		t.Helper()
		for range 2000 {
			if near(want) {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		left, _ := l.left(a)
		t.Fatalf("%s are left, want about %s", left, want)
	}
	if !near(time.Hour) {
		t.Error("it does not begin with what its record says")
	}
	for _, c := range []struct{ said, want time.Duration }{
		{30 * time.Minute, 30 * time.Minute}, // the machine took long to start
		{20 * time.Minute, 20 * time.Minute},
		{9 * time.Hour, time.Hour}, // whoever wrote that, it is no more than the record's
		{0, 0},
	} {
		if err := runs.SaveLeft(t.Context(), store, a.Run, a.Stage, a.Number, c.said); err != nil {
			t.Fatal(err)
		}
		await(c.want)
	}
}

// TestTellSpend: the worker is told once of each life, and not with every message.
func TestTellSpend(t *testing.T) {
	store := stagetest.Store(t)
	e := &Executor{Name: "gpu", Provider: unlisted{}, Store: store, Log: slog.New(slog.DiscardHandler)}
	f := &followed{Executor: e, a: &runs.Attempt{Run: "20260102-030405-00012345", Stage: "train", Number: 1}, job: &executor.Job{}, spend: time.Hour}
	f.meter.held = 20 * time.Minute
	told := func() (time.Duration, string) {
		left, version, err := runs.LoadLeft(t.Context(), store, f.a.Run, f.a.Stage, 1)
		if err != nil {
			t.Fatal(err)
		}
		return left, version
	}
	f.tellSpend(t.Context())
	left, first := told()
	if left != 40*time.Minute {
		t.Errorf("told %s", left)
	}
	f.tellSpend(t.Context())
	if _, again := told(); again != first {
		t.Error("the same was told twice")
	}
	f.last.Restarts++
	f.meter.held = 2 * time.Hour
	f.tellSpend(t.Context())
	if left, again := told(); again == first || left != 0 {
		t.Errorf("after a restart it was told %s", left)
	}
	if err := f.overspent(); executor.Code(err) != stages.CodeDeadline || !strings.Contains(err.Error(), "stage train has held a machine of gpu for the 1h0m0s") {
		t.Errorf("%v", err)
	}
	f.spend = 0
	if err := f.overspent(); err != nil {
		t.Errorf("without a limit: %v", err)
	}
}
