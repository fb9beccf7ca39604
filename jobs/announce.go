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

// announce makes the run seen as live until leave is called. The context that it
// returns ends when the run is cancelled.
func (r *run) announce(ctx context.Context, e *evaluate.Evaluation) (live context.Context, leave func(), err error) {
	lease, err := r.Store.Acquire(ctx, runs.LeaseName(r.id), storage.Self(), r.TTL, "")
	if err != nil {
		return nil, nil, err
	}
	release := func() {
		if err := lease.Release(context.WithoutCancel(ctx)); err != nil {
			r.Log.Warn("could not release the run's lease", "run", r.id, "error", err)
		}
	}
	read := runs.ReadSet{Plan: r.g.Plan.Name, Command: r.Command, Digests: []string{}}
	for name, d := range e.Decisions {
		if d.Manifest != nil {
			r.doneBefore[name] = d.Key
			read.Add(d.Manifest)
		}
	}
	if err := runs.SaveReadSet(ctx, r.Store, r.id, read); err != nil {
		release()
		return nil, nil, err
	}
	// A gc that deletes now may not know this run yet.
	if _, err := r.Store.AwaitSweep(ctx, func(h storage.Holder) {
		r.Log.Warn("waiting for a gc of the store to end", "holder", h.String())
	}); err != nil {
		release()
		return nil, nil, err
	}
	live, cancel := context.WithCancelCause(ctx)
	stopTelling := context.AfterFunc(live, func() {
		r.emit(runs.Event{Type: runs.EventStop, Message: context.Cause(live).Error()})
	})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		r.watchCancel(live, cancel)
	}()
	return live, func() {
		stopTelling()
		cancel(nil)
		<-stopped
		release()
	}, nil
}

// watchCancel looks for a cancellation of the run until ctx ends.
func (r *run) watchCancel(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(max(r.TTL/10, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c, err := runs.LoadCancellation(ctx, r.Store, r.id)
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

// decideAndMark decides about a node as Evaluator.Decide does. What is done but was
// not when the run began is added to what the run reads, and decided again: a gc
// that did not know of it may have deleted it meanwhile.
func (r *run) decideAndMark(ctx context.Context, e evaluate.Evaluator, node *graph.Node, inputs map[string]storage.Artifact) (*evaluate.Decision, error) {
	d, err := e.Decide(ctx, r.g, node, inputs)
	if err != nil || d.State != runs.Cached || r.doneBefore[node.Name] == d.Key {
		return d, err
	}
	found := runs.ReadSet{Plan: r.g.Plan.Name, Digests: []string{}}
	found.Add(d.Manifest)
	if err := runs.AddReadSet(ctx, r.Store, r.id, node.Name, d.Generation, found); err != nil {
		return nil, err
	}
	if _, err := r.Store.AwaitSweep(ctx, nil); err != nil {
		return nil, err
	}
	return e.Decide(ctx, r.g, node, inputs)
}
