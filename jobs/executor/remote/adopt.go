package remote

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// unfinished finds the attempt of a runner before this one that is still at work on the
// same key, or waits in the place's queue, and since when it holds a machine; nil if there
// is none. What the store says is
// believed only where the attempt is the one that this runner would make.
func (e *Executor) unfinished(ctx context.Context, a *runs.Attempt) (left *runs.Attempt, since time.Time, err error) {
	j, version, err := runs.LoadJob(ctx, e.Store, a.Kind, a.Key)
	switch {
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrCorrupt) && version != "":
		return nil, since, nil
	case err != nil:
		return nil, since, err
	case j.Over || j.Executor != e.Name:
		return nil, since, nil
	}
	left, err = runs.LoadExactAttempt(ctx, e.Store, j.Run, j.Stage, j.Attempt, j.Digest)
	if err != nil || !sameWork(left, a) {
		if errors.Is(err, storage.ErrTransient) {
			return nil, since, err
		}
		return nil, since, nil
	}
	_, err = runs.LoadEnd(ctx, e.Store, left.Run, left.Stage, left.Number)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return left, j.Since, nil
	case errors.Is(err, storage.ErrTransient):
		return nil, since, err
	}
	return nil, since, nil
}

// sameWork reports whether two attempts differ in nothing but what names them.
func sameWork(left, own *runs.Attempt) bool {
	x, y := *left, *own
	for _, a := range []*runs.Attempt{&x, &y} {
		a.Run, a.Plan, a.PlanDigest, a.Stage, a.Number, a.CacheDir, a.Spend, a.MayPay = "", "", "", "", 0, "", 0, 0
		a.OnDemand = false // where it runs, not what it does
	}
	one, err := json.Marshal(x)
	two, err2 := json.Marshal(y)
	return err == nil && err2 == nil && bytes.Equal(one, two)
}

// lease is the word of a runner that it waits for a job. One that was lost, because the
// store was gone for too long, is taken again: the lease of the key says who may.
type lease struct {
	stop func()
	done chan struct{}
	log  *slog.Logger
}

// acquire takes the lease of a job and keeps it until release. The runner before may
// hold it: this one holds the key, so it need not wait.
func (e *Executor) acquire(ctx context.Context, id string) (*lease, error) {
	take := func(ctx context.Context) (*storage.Lease, error) {
		now, err := e.Store.Lease(ctx, jobLease(id))
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return nil, err
		}
		return e.Store.Acquire(ctx, jobLease(id), storage.Self(), cmp.Or(e.TTL, runs.LeaseTTL), now.Version)
	}
	held, err := take(ctx)
	if err != nil {
		return nil, err
	}
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &lease{stop: stop, done: make(chan struct{}), log: e.Log}
	go func() {
		defer close(l.done)
		for {
			select {
			case <-keeping.Done():
				if err := held.Release(context.WithoutCancel(ctx)); err != nil {
					e.Log.Warn("could not release the lease of a job", "job", id, "error", err)
				}
				return
			case <-held.Lost():
			}
			again, err := take(keeping)
			if err == nil {
				held = again
				continue
			}
			select {
			case <-keeping.Done():
			case <-time.After(time.Second):
			}
		}
	}()
	return l, nil
}

func (l *lease) release(context.Context) {
	l.stop()
	<-l.done
}

var _ executor.Executor = (*Executor)(nil)
