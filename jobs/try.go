package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// attempt describes a try of a task.
func (u *run) attempt(t *graph.Node, v *evaluate.Decision, inputs map[string]storage.Artifact, number int) (*runs.Attempt, error) {
	options, err := json.Marshal(t.Options)
	if err != nil {
		return nil, fmt.Errorf("options of stage %s: %w", t.Name, err)
	}
	external := v.External
	if v.Key == "" { // a preflight: the inputs are not there yet
		external = t.External
	}
	return &runs.Attempt{
		Run: u.id, Plan: u.g.Plan.Name, PlanDigest: u.g.Plan.Digest, Stage: t.Name, Number: number, Kind: t.Kind.Name,
		Key: v.Key, Generation: v.Generation + 1, Preimage: v.Preimage, Options: options, Inputs: inputs, External: external,
		Files: u.g.Files(), Taxonomy: u.g.Taxonomy(), Device: t.Device, CacheDir: u.CacheDir, Offline: u.Offline, Endpoints: u.Endpoints, Version: u.Version,
	}, nil
}

// interruptible turns what a cancelled context did to an outcome into an
// interruption.
func (u *run) interruptible(ctx context.Context, o executor.Outcome) executor.Outcome {
	if ctx.Err() != nil && o.State != runs.Succeeded && o.Manifest == nil {
		before := ""
		if o.State == runs.Lost || o.State == runs.Failed && !errors.Is(o.Err, context.Cause(ctx)) && !errors.Is(o.Err, ctx.Err()) {
			before = fmt.Sprintf("; before that: %v", o.Err)
		}
		o.State = runs.Interrupted
		if !errors.Is(o.Err, executor.ErrAborted) {
			o.Err = fmt.Errorf("%w (%w)%s", stages.ErrInterrupted, context.Cause(ctx), before)
		}
	}
	return o
}

// execute holds the lease of the task's key and tries until there is an end.
func (u *run) execute(ctx context.Context, e evaluate.Evaluator, t *graph.Node, v *evaluate.Decision, inputs map[string]storage.Artifact, p *patience) executor.Outcome {
	var lease *storage.Lease
	defer func() {
		if lease == nil {
			return
		}
		if err := lease.Release(context.WithoutCancel(ctx)); err != nil {
			u.Log.Warn("could not release a lease", "stage", t.Name, "error", err)
		}
	}()
	for number := 1; ; {
		var o executor.Outcome
		var err error
		if lease == nil {
			lease, v, err = u.lease(ctx, e, t, v, inputs)
		} else {
			// The try before may have committed without learning of it.
			v, err = u.look(ctx, e, t, v, inputs)
		}
		var held *storage.HeldError
		switch {
		case errors.As(err, &held):
			return executor.Outcome{State: runs.Skipped, Err: err}
		case err != nil:
			o = u.interruptible(ctx, executor.FromError(err))
		case v.Manifest != nil:
			o = executor.FromManifest(v.Manifest)
			if o.State == runs.Succeeded && v.Manifest.Run != u.id {
				o.State, o.Reason = runs.Cached, fmt.Sprintf("run %s did it meanwhile", v.Manifest.Run)
			}
			return o
		default:
			o = u.try(ctx, t, v, inputs, &number, lease)
		}
		if !u.again(ctx, t, p, o) {
			return u.interruptible(ctx, o)
		}
	}
}

// look asks the store again. A manifest that came since v is the answer even to
// a forced task: it was made after the wish.
func (u *run) look(ctx context.Context, e evaluate.Evaluator, t *graph.Node, v *evaluate.Decision, inputs map[string]storage.Artifact) (*evaluate.Decision, error) {
	now, err := evaluate.Evaluator{Store: e.Store}.Decide(ctx, u.g, t, inputs)
	if err != nil || now.Manifest != nil && e.Force[t.Name] && now.Generation <= v.Generation {
		return v, err
	}
	return now, nil
}

// errTaken ends an attempt whose work another runner has committed.
var errTaken = errors.New("another runner has committed the same work")

// try makes one attempt under the next number that it can claim.
func (u *run) try(ctx context.Context, t *graph.Node, v *evaluate.Decision, inputs map[string]storage.Artifact, next *int, lease *storage.Lease) executor.Outcome {
	var a *runs.Attempt
	number := 0
	for taken := storage.ErrExists; errors.Is(taken, storage.ErrExists); {
		var err error
		number = *next
		*next++
		if a, err = u.attempt(t, v, inputs, number); err != nil {
			return executor.FromError(err)
		}
		if taken = runs.SaveAttempt(ctx, u.Store, a); taken != nil && !errors.Is(taken, storage.ErrExists) {
			return u.interruptible(ctx, executor.FromError(taken))
		}
	}
	u.state(t, runs.Running, v.Reason, func(res *runs.StageResult) { res.Attempt = number })
	sink := &taskSink{u: u, t: t, attempt: number}
	sink.log = runs.OpenLog(context.WithoutCancel(ctx), u.Store, u.Log, u.id, t.Name, number)
	defer sink.log.Close()
	limited, cancel := ctx, func() {}
	if t.Stage.Timeout > 0 {
		limited, cancel = context.WithTimeoutCause(ctx, t.Stage.Timeout, fmt.Errorf("stage %s took longer than its timeout of %s", t.Name, t.Stage.Timeout))
	}
	defer cancel()
	guarded, taken := u.guard(limited, a, lease)
	o := u.Executor.Execute(guarded, a, sink)
	winner := taken()
	if o.Checkpointed {
		u.mu.Lock()
		u.kept = true
		u.mu.Unlock()
	}
	switch {
	case o.Manifest == nil && winner != nil:
		sink.Log(slog.LevelInfo, errTaken.Error()+"; this attempt ends and takes that result")
		return executor.FromManifest(winner)
	case o.State == runs.Interrupted && ctx.Err() == nil && limited.Err() != nil:
		o = executor.FromError(stages.Fail(stages.CodeStage, "raise `timeout` of the stage; it continues from its checkpoint if it made one", "%w", context.Cause(limited)))
	}
	if o.Err != nil {
		sink.Log(slog.LevelError, o.Err.Error())
	}
	return u.interruptible(ctx, o)
}

// guard watches over an attempt whose lease was lost, by a pause of this
// process or of the store. It is not ended for that: the manifest decides who
// did the work. Once another runner has committed, there is nothing left to
// do. taken ends the watch and returns that manifest, nil if there is none.
func (u *run) guard(ctx context.Context, a *runs.Attempt, lease *storage.Lease) (guarded context.Context, taken func() *storage.Manifest) {
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
			m, generation, err := u.Store.Newest(watching, a.Kind, a.Key)
			if err == nil && generation >= a.Generation {
				found <- &m
				cancel(errTaken)
				return
			}
			select {
			case <-watching.Done():
				return
			case <-time.After(u.TTL / 2):
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
