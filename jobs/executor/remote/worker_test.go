package remote

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// TestSecondWorker: of two workers of one attempt the second waits, and does nothing once the
// first has said its last word, however late the second hears of it.
func TestSecondWorker(t *testing.T) {
	const ttl = 20 * time.Second
	o := executor.WorkerOptions{Run: "r1", Stage: "train", Attempt: 1, Digest: "sha256:1"}
	for name, c := range map[string]struct {
		first func(ctx context.Context, s *storage.Store, held *storage.Lease, end func()) // beside the second
		code  stages.Code
		works bool // the second one does
		err   error
	}{
		"ended before": {func(_ context.Context, _ *storage.Store, _ *storage.Lease, end func()) { end() }, 6, false, nil},
		"ended meanwhile": {func(_ context.Context, _ *storage.Store, _ *storage.Lease, end func()) {
			time.Sleep(3 * ttl)
			end()
		}, 6, false, nil},
		"gone without a word": {func(ctx context.Context, _ *storage.Store, held *storage.Lease, _ func()) {
			time.Sleep(3 * ttl)
			_ = held.Release(ctx)
		}, 0, true, nil},
		"at work for longer than there is time": {func(context.Context, *storage.Store, *storage.Lease, func()) {}, 0, false, stages.ErrInterrupted},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memory(t, nil)
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				held, err := store.Acquire(ctx, workerLease(o), storage.Holder{Host: "elsewhere", PID: 1}, ttl, "")
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = held.Release(context.WithoutCancel(ctx)) }()
				go c.first(ctx, store, held, func() { say(t, store, o) })
				synctest.Wait()
				began := time.Now()
				lease, code, err := (&Worker{Store: store, TTL: ttl}).begin(ctx, o)
				if waited := time.Since(began); c.err == nil && waited > 4*ttl {
					t.Errorf("it went on after %s", waited)
				}
				if code != c.code || (lease != nil) != c.works || !errors.Is(err, c.err) {
					t.Fatalf("code %d, lease %v, %v", code, lease != nil, err)
				}
				if lease != nil {
					_ = lease.Release(ctx)
				}
			})
		})
	}
}

// TestWordAtTheLastMoment: a last word that came between a worker's look for one and its lease
// is heeded, and the lease is left to others.
func TestWordAtTheLastMoment(t *testing.T) {
	o := executor.WorkerOptions{Run: "r1", Stage: "train", Attempt: 1, Digest: "sha256:1"}
	said := false
	var store *storage.Store
	store = memory(t, func(_ context.Context, _, key string, call func() error) error {
		if strings.HasPrefix(key, "leases/workers/") && !said {
			said = true
			say(t, store, o)
		}
		return call()
	})
	lease, code, err := (&Worker{Store: store}).begin(t.Context(), o)
	if lease != nil || code != 6 || err != nil {
		t.Fatalf("lease %v, code %d, %v", lease != nil, code, err)
	}
	if at, err := store.Lease(t.Context(), workerLease(o)); err != nil || !at.Released {
		t.Errorf("its lease: %+v, %v", at, err)
	}
}

func memory(t *testing.T, around func(ctx context.Context, op, key string, call func() error) error) *storage.Store {
	t.Helper()
	store, err := storage.Open(t.Context(), "mem://", &storage.Options{Around: around})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// say is the last word of a worker: it ended with code 6.
func say(t *testing.T, store *storage.Store, o executor.WorkerOptions) {
	t.Helper()
	if err := runs.SaveEnd(t.Context(), store, o.Run, o.Stage, o.Attempt, []byte(`{"type":"end","code":6}`)); err != nil {
		t.Error(err)
	}
}
