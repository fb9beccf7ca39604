package jobs_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// stranger is a live process of another host.
func stranger() storage.Holder {
	return storage.Holder{Host: "elsewhere", Boot: "b", Namespace: "n", PID: 1, Started: "1"}
}

// makeLease is the name of the lease of the stage make.
func makeLease(t *testing.T, b *jobstest.Bench) string {
	t.Helper()
	e, err := evaluate.Evaluator{Store: b.Store}.Evaluate(t.Context(), b.Graph())
	if err != nil {
		t.Fatal(err)
	}
	return "make/" + e.Decisions["make"].Key
}

// With --no-wait a live holder gives code 7; one that is silent for a ttl does
// not, nor does work that was done before.
func TestNoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := jobstest.NewBench(t, jobstest.Plan)
		b.Tweak = func(r *jobs.Runner) { r.NoWait, r.TTL = true, 20*time.Second }
		live, err := b.Store.Acquire(t.Context(), makeLease(t, b), stranger(), 20*time.Second, "")
		if err != nil {
			t.Fatal(err)
		}
		res := b.MustRun(7, "skipped skipped skipped skipped")
		if !res.Retryable || !strings.Contains(res.Error, "elsewhere") || !strings.Contains(res.Hint, "--no-wait") {
			t.Errorf("result %+v", res)
		}
		if err := live.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		silent, err := b.Store.Acquire(t.Context(), makeLease(t, b), stranger(), time.Hour, "")
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Release(context.WithoutCancel(t.Context()))
		b.MustRun(0, "succeeded succeeded succeeded succeeded")
		b.MustRun(0, "cached cached cached cached")
	})
}

// Two stages of one plan that are the same work are done once, and no other run
// is blamed for it.
func TestNoWaitIsNotForItself(t *testing.T) {
	const twins = `name: twins
stages:
  - {name: one, kind: node, needs: [], with: {makes: a, pace: 1m}}
  - {name: two, kind: node, needs: [], with: {makes: a, pace: 1m}}
`
	synctest.Test(t, func(t *testing.T) {
		b := jobstest.NewBench(t, twins)
		b.Tweak = func(r *jobs.Runner) { r.NoWait, r.TTL = true, 20*time.Second }
		b.MustRun(0, "succeeded succeeded")
	})
}

// Without it a live holder is waited for, and left alone by the deadline.
func TestWaitingEndsWithTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := jobstest.NewBench(t, jobstest.Plan)
		b.Tweak = func(r *jobs.Runner) { r.TTL, r.Deadline = time.Hour, time.Minute }
		live, err := b.Store.Acquire(t.Context(), makeLease(t, b), stranger(), time.Hour, "")
		if err != nil {
			t.Fatal(err)
		}
		defer live.Release(context.WithoutCancel(t.Context()))
		b.MustRun(124, "interrupted skipped skipped skipped")
		if !slices.ContainsFunc(b.Seen.Events, func(e runs.Event) bool { return e.State != nil && *e.State == runs.Waiting }) {
			t.Error("the run did not wait")
		}
		if b.Count.N["make"] != 0 {
			t.Error("a stage ran in spite of a live holder")
		}
	})
}

// gate holds up every operation of a store while it is closed, as a paused
// process would.
type gate struct {
	mu   sync.Mutex
	open chan struct{}
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = make(chan struct{})
}

func (g *gate) lift() { close(g.open) }

func (g *gate) wait() {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	if open != nil {
		<-open
	}
}

// A runner that sleeps past its lease right after it found its work undone
// must not commit a second manifest when it wakes.
func TestPauseBetweenLookupAndWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := jobstest.NewBench(t, jobstest.Plan)
		other := *b
		var g gate
		var once sync.Once
		store, err := storage.Open(t.Context(), filepath.Join(b.Dir, "store"), &storage.Options{
			Around: func(_ context.Context, op, key string, call func() error) error {
				if op == "create" && strings.HasSuffix(key, "/attempts/make/1.json") {
					once.Do(func() {
						g.shut()
						other.MustRun(0, "succeeded succeeded succeeded succeeded")
						g.lift()
					})
				}
				g.wait()
				return call()
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		b.Store = store
		b.MustRun(0, "succeeded cached cached cached") // it did the work, too late
		for key, n := range manifests(t, b.Store) {
			if n != 1 {
				t.Errorf("%d manifests of %s", n, key)
			}
		}
	})
}

// A runner that sleeps past its lease in the middle of its work ends that when
// it wakes and finds it done by another, and takes the other's result.
func TestPauseInTheMiddleOfWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := jobstest.NewBench(t, jobstest.Plan)
		other := *b
		b.Set = []string{"make.pace=1h"}
		var g gate
		b.Count.Before = func(stage string, _ int) {
			if stage == "make" {
				b.Count.Before = nil
				g.shut()
				go func() {
					other.MustRun(0, "succeeded succeeded succeeded succeeded")
					g.lift()
				}()
			}
		}
		store, err := storage.Open(t.Context(), filepath.Join(b.Dir, "store"), &storage.Options{
			Around: func(_ context.Context, _, _ string, call func() error) error { g.wait(); return call() },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		b.Store = store
		b.MustRun(0, "succeeded cached cached cached")
	})
}
