package runs_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/executor/local"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// A run that goes on is seen as running with its holder, ends checkpointed when
// anyone who sees the store asks it to, and the next run continues it.
func TestCancelThroughTheStore(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	b.Set = []string{"slow.times=9", "slow.pace=30s"}
	b.Tweak = func(r *jobs.Runner) { r.TTL = 500 * time.Millisecond }
	b.Local = func(l *local.Executor) { l.Program = "" }
	began := make(chan struct{})
	b.Count.Before = func(stage string, _ int) {
		if stage == "slow" {
			close(began)
		}
	}
	done := make(chan *runs.Result, 1)
	go func() {
		res, err := b.Run()
		if err != nil {
			t.Error(err)
		}
		done <- res
	}()
	<-began
	other, err := storage.Open(t.Context(), b.Store.Source(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	ids, err := runs.List(t.Context(), other, 1)
	if err != nil || len(ids) != 1 {
		t.Fatal(ids, err)
	}
	s, err := runs.Load(t.Context(), other, ids[0])
	if err != nil || s.State != "running" || s.Holder != storage.Self() || !s.Live() {
		t.Errorf("a live run stands as %+v, %v", s, err)
	}
	for n, reason := range []string{"too slow", "asking twice is asking once"} {
		earlier, err := runs.Cancel(t.Context(), other, ids[0], reason)
		if err != nil || (earlier != nil) != (n == 1) || earlier != nil && earlier.Reason != "too slow" {
			t.Fatalf("asked %d times before: %+v, %v", n, earlier, err)
		}
	}
	res := <-done
	if res.Code != 75 || !res.Retryable || !strings.Contains(res.Error, "too slow") {
		t.Errorf("a cancelled run ends with %d: %s", res.Code, res.Error)
	}
	if s, err := runs.Load(t.Context(), other, ids[0]); err != nil || s.State != "ended" || s.Live() {
		t.Errorf("after its end the run stands as %+v, %v", s, err)
	}
	b.Count.Before = nil
	b.Set = []string{"slow.times=9"}
	b.MustRun(0, "cached cached cached succeeded")
}

// A run whose process died without a word is killed, not running.
func TestKilledRunIsSeen(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	b.MustRun(0, "succeeded succeeded succeeded succeeded")
	ids, err := runs.List(t.Context(), b.Store, 1)
	if err != nil {
		t.Fatal(err)
	}
	gone := storage.Self()
	if gone.Boot == "" {
		t.Skip("this system does not say when it was started, so the dead cannot be told from the far")
	}
	gone.Started = "1" // another process had this pid
	if err := b.Store.Sweep(t.Context(), "runs/"+ids[0]+"/result.json"); err != nil {
		t.Fatal(err)
	}
	lease, err := b.Store.Acquire(t.Context(), "runs/"+ids[0], gone, time.Hour, "")
	if err != nil {
		t.Fatal(err)
	}
	defer lease.Release(context.WithoutCancel(t.Context()))
	if s, err := runs.Load(t.Context(), b.Store, ids[0]); err != nil || s.State != "killed" || s.Live() {
		t.Errorf("stands as %+v, %v", s, err)
	}
	for _, name := range []string{"nothere", "../" + ids[0], ids[0] + "/attempts", ""} {
		if _, err := runs.Load(t.Context(), b.Store, name); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("run %q: %v", name, err)
		}
	}
}
