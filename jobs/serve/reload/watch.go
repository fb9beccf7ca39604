package reload

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/jobs/serve/batch"
)

// Options say how a model is kept.
type Options struct {
	Source Source
	// Poll is how often it is asked what the reference names; 0: never.
	Poll     time.Duration
	Batch    batch.Options
	Answered func(*Model, batch.Batch) // told of each batch; it must not block
	Log      *slog.Logger
}

// Refused is a release that is named and cannot answer, while the one before does.
type Refused struct {
	Release Release
	Reason  string
	Since   time.Time
}

// Status is what is known of what is named.
type Status struct {
	// Refused is nil if the model that answers is the one that is named.
	Refused *Refused
	// Degraded is nil unless keywords answer in the place of the model.
	Degraded *Degraded
	// Unreachable is why it could not be asked last time what is named; empty if it could.
	Unreachable string
	Swaps       int
}

// Keeper keeps the model of a reference in a slot. It is safe for concurrent use.
type Keeper struct {
	Slot
	o Options

	mu       sync.Mutex
	status   Status
	retry    retry
	draining sync.WaitGroup
}

// Open opens and warms what is named. The caller closes the keeper.
func Open(ctx context.Context, o Options) (*Keeper, error) {
	k := &Keeper{o: o}
	r, err := o.Source.Resolve(ctx)
	if err != nil {
		return nil, err
	}
	m, err := k.load(ctx, r, false)
	if err != nil {
		return nil, err
	}
	k.take(m)
	giveBack() // what loading and warming took
	return k, nil
}

// load opens and warms a release.
func (k *Keeper) load(ctx context.Context, r Release, strict bool) (*Model, error) {
	opened, err := k.o.Source.Open(ctx, r, strict)
	if err != nil {
		return nil, err
	}
	if err := warm(ctx, opened.Classifier); err != nil {
		opened.Close()
		return nil, fmt.Errorf("the model %s: %w", r, err)
	}
	return newModel(r, opened, k.o.Batch, k.o.Answered), nil
}

// Status is what is known now.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.status
}

// Watch puts what the reference comes to name into the slot, until the context ends. Where
// it is never asked, Watch ends as soon as the model answers.
func (k *Keeper) Watch(ctx context.Context) {
	tick := time.NewTicker(k.pause())
	defer tick.Stop()
	for k.o.Poll > 0 || k.Status().Degraded != nil {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if k.o.Poll > 0 {
			k.look(ctx)
			continue
		}
		now, done := k.Use()
		r := now.Release
		done()
		k.mend(ctx, r)
	}
}

// maxLook is how long a store may take to say what is named: one that is gone is tried
// again and again by those below.
const maxLook = 20 * time.Second

// look asks once what is named, and loads it if it is another release.
func (k *Keeper) look(ctx context.Context) {
	asking, cancel := context.WithTimeout(ctx, max(maxLook, k.o.Poll))
	r, err := k.o.Source.Resolve(asking)
	cancel()
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		k.unreachable(err.Error())
		return
	}
	k.unreachable("")
	now, done := k.Use()
	has, degraded := now.Release, now.Fallback != nil
	done()
	switch {
	case r == has && !degraded:
		k.forget()
	case r == has:
		k.mend(ctx, r)
	case k.due(r):
		k.follow(ctx, r, !degraded)
	}
}

// follow puts another release into the slot. Where keywords answer those of the new one may,
// if strict is not set.
func (k *Keeper) follow(ctx context.Context, r Release, strict bool) {
	began := time.Now()
	m, err := k.load(ctx, r, strict)
	if ctx.Err() != nil {
		if err == nil {
			m.end()
		}
		return
	}
	if err != nil {
		k.refuse(r, err)
		return
	}
	old := k.take(m)
	k.mu.Lock()
	k.status.Swaps++
	k.mu.Unlock()
	k.o.Log.Info("another release answers", "model", r.String(), "digest", r.Digest, "before", old.String(), "seconds", time.Since(began).Seconds())
	k.draining.Go(func() { old.end(); giveBack() })
}

// giveBack gives the memory of a model that is gone back to the machine: until the heap has
// doubled nobody else would collect it, and swaps are rare.
func giveBack() { debug.FreeOSMemory() }

// unreachable keeps why it cannot be asked what is named, and says so once.
func (k *Keeper) unreachable(why string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if why != "" && k.status.Unreachable == "" {
		k.o.Log.Warn("the store does not say which release to serve; the one before answers", "error", why)
	}
	if why == "" && k.status.Unreachable != "" {
		k.o.Log.Info("the store says again which release to serve")
	}
	k.status.Unreachable = why
}

// Close waits for those that have a model, and frees all. Nobody may use the keeper any
// more.
func (k *Keeper) Close() {
	k.draining.Wait()
	k.put(nil).end()
}
