package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// rely decides about a task as Evaluator.Task does. What it finds done and was
// not there to be seen when the run began is noted as used, and looked at again:
// a gc that did not know of it may have deleted it meanwhile.
func (u *run) rely(ctx context.Context, e evaluate.Evaluator, t *graph.Node, inputs map[string]storage.Artifact) (*evaluate.Decision, error) {
	v, err := e.Decide(ctx, u.g, t, inputs)
	if err != nil || v.State != runs.Cached || u.seen[t.Name] == v.Key {
		return v, err
	}
	found := runs.ReadSet{Plan: u.g.Plan.Name, Digests: []string{}}
	found.Add(v.Manifest)
	if err := runs.AddReadSet(ctx, u.Store, u.id, t.Name, v.Generation, found); err != nil {
		return nil, err
	}
	if _, err := u.Store.AwaitSweep(ctx, nil); err != nil {
		return nil, err
	}
	return e.Decide(ctx, u.g, t, inputs)
}

// attend makes the run seen as live until leave is called. The context that it
// returns ends when the run is cancelled.
func (u *run) attend(ctx context.Context, e *evaluate.Evaluation) (attended context.Context, leave func(), err error) {
	lease, err := u.Store.Acquire(ctx, runs.LeaseName(u.id), storage.Self(), u.TTL, "")
	if err != nil {
		return nil, nil, err
	}
	release := func() {
		if err := lease.Release(context.WithoutCancel(ctx)); err != nil {
			u.Log.Warn("could not release the run's lease", "run", u.id, "error", err)
		}
	}
	used := runs.ReadSet{Plan: u.g.Plan.Name, Command: u.Command, Digests: []string{}}
	for name, v := range e.Decisions {
		if v.Manifest != nil {
			u.seen[name] = v.Key
			used.Add(v.Manifest)
		}
	}
	if err := runs.SaveReadSet(ctx, u.Store, u.id, used); err != nil {
		release()
		return nil, nil, err
	}
	// A gc that deletes now may not know this run yet.
	if _, err := u.Store.AwaitSweep(ctx, func(h storage.Holder) {
		u.Log.Warn("waiting for a gc of the store to end", "holder", h.String())
	}); err != nil {
		release()
		return nil, nil, err
	}
	attended, cancel := context.WithCancelCause(ctx)
	quiet := context.AfterFunc(attended, func() {
		u.emit(runs.Event{Type: runs.EventStop, Message: context.Cause(attended).Error()})
	})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		u.heed(attended, cancel)
	}()
	return attended, func() {
		quiet()
		cancel(nil)
		<-stopped
		release()
	}, nil
}

// heed looks for a cancellation of the run until ctx ends.
func (u *run) heed(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(max(u.TTL/10, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c, err := runs.LoadCancellation(ctx, u.Store, u.id)
		switch {
		case err == nil:
			cancel(&runs.CancelledError{Cancellation: c})
			return
		case errors.Is(err, storage.ErrCorrupt):
			cancel(&runs.CancelledError{Cancellation: runs.Cancellation{Reason: "the record of who did it cannot be read"}})
			return
		}
	}
}
