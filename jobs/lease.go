package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// acquireLease takes the lease of a key. While another runner holds it, this one
// waits: it returns a decision with the other's manifest, or takes over when the
// holder is gone. With NoWait it returns the *storage.HeldError of a holder
// that was seen to live.
func (r *run) acquireLease(ctx context.Context, e evaluate.Evaluator, node *graph.Node, d *evaluate.Decision, inputs map[string]storage.Artifact) (*storage.Lease, *evaluate.Decision, error) {
	self := storage.Self()
	self.Run = r.id
	var other *evaluate.Decision // by which the holder has done it
	told := false
	l, err := r.Store.Await(ctx, node.Kind.Name+"/"+d.Key, self, r.TTL, func(held *storage.HeldError, renewed bool) error {
		if !told {
			r.changeState(node, runs.Waiting, fmt.Sprintf("%s is doing it", held.Holder), nil)
			told = true
		}
		if renewed && r.NoWait && held.Holder != self { // of two equal stages of this run one waits
			return fmt.Errorf("stage %s is being done by another run: %w", node.Name, held)
		}
		// Only a manifest that came since is worth deciding again.
		if n, err := r.Store.Generation(ctx, node.Kind.Name, d.Key); err == nil && n > d.Generation {
			if now, err := r.decideAgain(ctx, e, node, d, inputs); err == nil && now.Manifest != nil {
				other = now
				return errTaken
			}
		}
		return nil
	})
	if other != nil {
		return nil, other, nil
	}
	if err != nil {
		return nil, d, err
	}
	// Another runner may have finished since the node was looked up, and released the lease
	// before this one asked for it.
	now, err := r.decideAgain(ctx, e, node, d, inputs)
	if err != nil || now.Manifest != nil {
		_ = l.Release(context.WithoutCancel(ctx))
		l = nil
	}
	return l, now, err
}

// decideAgain asks the store again. A manifest that came since d is the answer
// even for a forced node: it is newer than the request to force it.
func (r *run) decideAgain(ctx context.Context, e evaluate.Evaluator, node *graph.Node, d *evaluate.Decision, inputs map[string]storage.Artifact) (*evaluate.Decision, error) {
	now, err := evaluate.Evaluator{Store: e.Store}.Decide(ctx, r.g, node, inputs)
	if err != nil || now.Manifest != nil && e.Force[node.Name] && now.Generation <= d.Generation {
		return d, err
	}
	return now, nil
}

// errTaken ends an attempt whose work another runner has committed.
var errTaken = errors.New("another runner has committed the same work")

// watchLease watches over an attempt whose lease was lost, by a pause of this
// process or of the store. It is not ended for that: the manifest decides who
// did the work. Once another runner has committed, there is nothing left to
// do. taken ends the watch and returns that manifest, nil if there is none.
func (r *run) watchLease(ctx context.Context, a *runs.Attempt, lease *storage.Lease) (guarded context.Context, taken func() *storage.Manifest) {
	guarded, cancel := context.WithCancelCause(ctx)
	watching, stop := context.WithCancel(ctx)
	found := make(chan *storage.Manifest, 1)
	go func() {
		defer close(found)
		select {
		case <-watching.Done():
			return
		case <-lease.Lost():
		}
		for {
			m, generation, err := r.Store.Newest(watching, a.Kind, a.Key)
			if err == nil && generation >= a.Generation {
				found <- &m
				cancel(errTaken)
				return
			}
			select {
			case <-watching.Done():
				return
			case <-time.After(r.TTL / 2):
			}
		}
	}()
	return guarded, func() *storage.Manifest {
		stop()
		m := <-found
		cancel(nil)
		return m
	}
}

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
		if errors.Is(err, storage.ErrCorrupt) {
			c, err = runs.Cancellation{Reason: "the record of who did it cannot be read"}, nil
		}
		if err == nil {
			cancel(&runs.CancelledError{Cancellation: c})
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
