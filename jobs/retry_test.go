package jobs_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// retried is toyPlan with a retry for its first stage.
func retried(retry string) string {
	return strings.Replace(jobstest.Plan, "- name: make", "- name: make\n    retry: "+retry, 1)
}

func TestEveryCauseHasItsOwnBudget(t *testing.T) {
	for _, c := range []struct {
		retry, end, states string
		code               stages.Code
		ran                int
	}{
		{"{network: 1, store: 9, machine: 9, failure: 9}", "lost", "lost skipped skipped skipped", 4, 2},
		{"0", "lost", "lost skipped skipped skipped", 4, 1},
		{"3", "lost", "lost skipped skipped skipped", 4, 4},
		{"{failure: 2}", "flaky", "succeeded succeeded succeeded succeeded", 0, 3},
		{"{failure: 1}", "flaky", "failed skipped skipped skipped", 1, 2},
		{"9", "flaky", "failed skipped skipped skipped", 1, 1},
		// Codes other than 1 and 8 end the same way every time.
		{"{failure: 9}", "fail", "failed skipped skipped skipped", 11, 1},
		{"{failure: 9}", "verdict", "failed skipped skipped skipped", 5, 1},
	} {
		b := jobstest.NewBench(t, retried(c.retry))
		b.Set = []string{"make.end=" + c.end}
		b.MustRun(c.code, c.states)
		if got := b.Count.N["make"]; got != c.ran {
			t.Errorf("retry %s, end %s: ran %d times, want %d", c.retry, c.end, got, c.ran)
		}
	}
}

// outage breaks operations on keys that contain part, the first n times.
func outage(part string, n int64) (around func(context.Context, string, string, func() error) error, left *atomic.Int64) {
	left = &atomic.Int64{}
	left.Store(n)
	return func(_ context.Context, _, key string, call func() error) error {
		if strings.Contains(key, part) && left.Add(-1) >= 0 {
			return errors.New("the store is away")
		}
		return call()
	}, left
}

// A store that goes away for longer than one operation's patience costs tries
// of the store's budget, whatever asked for it, and no work.
func TestStoreOutageIsSurvived(t *testing.T) {
	for _, part := range []string{"/attempts/refine/", "leases/refine", "manifests/refine", "manifests/join", "last/toys/join"} {
		b := jobstest.NewBench(t, jobstest.Plan)
		b.MustRun(0, "succeeded succeeded succeeded succeeded")
		b.Count.N = nil
		b.Set = []string{"make.text=new"}
		around, left := outage(part, 0)
		store, err := storage.Open(t.Context(), b.Store.Source(), &storage.Options{Around: around, Tries: 3, Backoff: time.Microsecond})
		if err != nil {
			t.Fatal(err)
		}
		b.Store = store
		b.Tweak = func(r *jobs.Runner) {
			r.Observer = onState(func(e runs.Event) {
				if e.Stage == "make" && *e.State == runs.Succeeded {
					left.Store(10) // three tries of three, and one
				}
			})
		}
		b.MustRun(0, "succeeded succeeded succeeded succeeded")
		if left.Load() > 0 {
			t.Errorf("%s: nothing asked for it", part)
		}
		if got := b.Count.String(); got != "map[join:1 make:1 refine:1 slow:1]" {
			t.Errorf("%s: ran %s", part, got)
		}
		store.Close()
	}
}

func TestStoreThatStaysAwayEndsTheRun(t *testing.T) {
	b := jobstest.NewBench(t, retried("{store: 2}"))
	around, _ := outage("/attempts/make/", 1<<40)
	store, err := storage.Open(t.Context(), b.Store.Source(), &storage.Options{Around: around, Tries: 2, Backoff: time.Microsecond})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	b.Store = store
	res := b.MustRun(4, "lost skipped skipped skipped")
	if !strings.Contains(res.Error, "the store is away") || !strings.Contains(res.Error, "/attempts/make/") || !res.Retryable {
		t.Errorf("result %+v", res)
	}
}
