package storagetest

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// testLeases: a lease has one holder until it is released, or its holder is dead.
func testLeases(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	const name, ttl = "train/x", 300 * time.Millisecond
	self := storage.Self()
	l, err := s.Acquire(ctx, name, self, ttl, "")
	check(t, err)
	other := second(t, s)
	_, err = other.Acquire(ctx, name, self, ttl, "")
	var held *storage.HeldError
	if !errors.As(err, &held) || !errors.Is(err, storage.ErrHeld) || held.Holder != self || held.Epoch != 1 || held.Version == "" {
		t.Fatalf("the second acquire: %v", err)
	}
	// The holder renews in its own time: what an observer saw first is not stale then.
	first := held.Version
	for held.Version == first {
		time.Sleep(ttl / 10)
		if _, err = other.Acquire(ctx, name, self, ttl, ""); !errors.As(err, &held) {
			t.Fatalf("a held lease was taken, or not renewed: %v", err)
		}
	}
	if _, err = other.Acquire(ctx, name, self, ttl, first); !errors.As(err, &held) {
		t.Fatalf("a renewed lease was taken over: %v", err)
	}
	check(t, l.Release(ctx))
	check(t, l.Release(ctx)) // twice is once
	l, err = other.Acquire(ctx, name, self, ttl, "")
	check(t, err)
	check(t, l.Release(ctx))
	if runtime.GOOS == "linux" {
		dead := self
		dead.PID, dead.Started = deadProcess(t)
		_, err = s.Acquire(ctx, name, dead, time.Hour, "") // never renewed in this test
		check(t, err)
		l, err = other.Acquire(ctx, name, self, ttl, "")
		if err != nil {
			t.Fatalf("the lease of a dead process of this host: %v", err)
		}
		check(t, l.Release(ctx))
	}
}

// testLeaseAwaited: who waits for a lease hears of its holder at each look, and whether it
// lives; gets it once it is released, or not renewed for a ttl; and ends when it is told to.
func testLeaseAwaited(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	const name, ttl = "train/x", 300 * time.Millisecond
	self := storage.Self()
	holder, err := s.Acquire(ctx, name, self, ttl, "")
	check(t, err)
	looks := 0
	taken, err := second(t, s).Await(ctx, name, self, ttl, func(held *storage.HeldError, renewed bool) error {
		if looks++; looks == 1 && renewed || held.Holder != self {
			t.Errorf("look %d: %v, renewed %v", looks, held, renewed)
		}
		if looks > 1000 {
			return errors.New("it was never renewed")
		}
		if renewed {
			check(t, holder.Release(ctx))
		}
		return nil
	})
	if err != nil || looks < 2 {
		t.Fatalf("a lease that its holder released: %v after %d looks", err, looks)
	}
	check(t, taken.Release(ctx))
	silent, err := s.Acquire(ctx, name, self, time.Hour, "") // not renewed in this test
	check(t, err)
	enough := errors.New("enough")
	if _, err = s.Await(ctx, name, self, ttl, func(*storage.HeldError, bool) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("told to end: %v", err)
	}
	hasty, cancel := context.WithTimeoutCause(ctx, ttl/10, enough)
	defer cancel()
	if _, err = s.Await(hasty, name, self, ttl, nil); !errors.Is(err, enough) {
		t.Errorf("out of time: %v", err)
	}
	ended, end := context.WithCancelCause(ctx)
	ending := h.Open(t, &storage.Options{Around: func(_ context.Context, _, _ string, call func() error) error {
		end(enough)
		return call()
	}})
	if _, err = ending.Await(ended, "train/y", self, ttl, nil); !errors.Is(err, enough) {
		t.Errorf("ended in the middle of a request: %v", err)
	}
	began := time.Now()
	taken, err = s.Await(ctx, name, self, ttl, func(_ *storage.HeldError, renewed bool) error {
		if renewed {
			return enough
		}
		return nil
	})
	if err != nil || time.Since(began) < ttl {
		t.Fatalf("a lease that nobody renews: %v after %v", err, time.Since(began))
	}
	check(t, taken.Release(ctx))
	check(t, silent.Release(ctx))
}

// testLeaseBroken: a lease that cannot be read stops nobody.
func testLeaseBroken(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	const name, ttl = "train/x", time.Minute
	self := storage.Self()
	l, err := s.Acquire(ctx, name, self, ttl, "")
	check(t, err)
	check(t, l.Release(ctx))
	for how, change := range damage {
		good, err := s.ReadFile(ctx, "leases/"+name, 1<<20)
		check(t, err)
		check(t, s.WriteFile(ctx, "leases/"+name, change(good)))
		l, err = second(t, s).Acquire(ctx, name, self, ttl, "")
		if err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		check(t, l.Release(ctx))
	}
}

// testLeaseRace: of many that ask at once one gets the lease.
func testLeaseRace(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	var mu sync.Mutex
	var leases []*storage.Lease
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			l, err := s.Acquire(ctx, "train/x", storage.Self(), time.Minute, "")
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				leases = append(leases, l)
			} else if !errors.Is(err, storage.ErrHeld) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(leases) != 1 {
		t.Errorf("%d of 8 hold the lease", len(leases))
	}
	for _, l := range leases {
		check(t, l.Release(ctx))
	}
}

// deadProcess returns the pid of a process that ended.
func deadProcess(t *testing.T) (pid int, started string) {
	cmd := exec.Command("true")
	check(t, cmd.Run())
	return cmd.Process.Pid, "1"
}

// testLeaseLost: a stale lease is taken over, and its holder learns it.
func testLeaseLost(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	const name, ttl = "lost", 300 * time.Millisecond
	self := storage.Self()
	l, err := s.Acquire(ctx, name, self, ttl, "")
	check(t, err)
	// Another holder found no new version for a ttl and took it: played here by
	// an observer that is right by chance.
	var taken *storage.Lease
	for taken == nil {
		_, err := second(t, s).Acquire(ctx, name, self, ttl, "")
		var held *storage.HeldError
		if !errors.As(err, &held) {
			t.Fatal(err)
		}
		taken, err = s.Acquire(ctx, name, self, ttl, held.Version)
		if err != nil && !errors.Is(err, storage.ErrHeld) {
			t.Fatal(err)
		}
	}
	select {
	case <-l.Lost():
	case <-time.After(20 * ttl):
		t.Fatal("the first holder never learned that its lease is lost")
	}
	check(t, l.Release(ctx)) // must not end the other's lease
	select {
	case <-taken.Lost():
		t.Fatal("the second holder lost it")
	case <-time.After(ttl):
	}
	_, err = s.Acquire(ctx, name, self, ttl, "")
	var held *storage.HeldError
	if !errors.As(err, &held) || held.Epoch != 2 {
		t.Errorf("after the takeover: %v", err)
	}
	check(t, taken.Release(ctx))
}
