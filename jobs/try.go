package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// attempt describes a try of a task.
func (u *run) attempt(t *Task, v *Verdict, inputs map[string]storage.Artifact, number, generation int) (*Attempt, error) {
	options, err := json.Marshal(t.Options)
	if err != nil {
		return nil, fmt.Errorf("options of stage %s: %w", t.Name, err)
	}
	return &Attempt{
		Run: u.id, Plan: u.g.Plan.Name, PlanDigest: u.g.Plan.Digest, Stage: t.Name, Number: number, Kind: t.Kind.Name,
		Key: v.Key, Generation: generation, Preimage: v.Preimage, Options: options, Inputs: inputs, External: t.External,
		Files: u.g.files, Taxonomy: u.g.taxonomy, Device: t.Device, CacheDir: u.CacheDir, Offline: u.Offline, Version: u.Version,
	}, nil
}

// interruptible turns what a cancelled context did to an outcome into an
// interruption.
func (u *run) interruptible(ctx context.Context, o Outcome) Outcome {
	if ctx.Err() != nil && o.State != Succeeded && o.Manifest == nil {
		o.State = Interrupted
		o.Err = fmt.Errorf("%w (%w)", stages.ErrInterrupted, context.Cause(ctx))
	}
	return o
}

// execute holds the lease of the task's key and tries until there is an end.
func (u *run) execute(ctx context.Context, e Evaluator, t *Task, v *Verdict, inputs map[string]storage.Artifact) Outcome {
	lease, adopted, err := u.lease(ctx, e, t, v, inputs)
	if err != nil {
		return u.interruptible(ctx, failed(err))
	}
	if adopted != nil {
		return committed(adopted)
	}
	defer func() {
		if err := lease.Release(context.WithoutCancel(ctx)); err != nil {
			u.Log.Warn("could not release a lease", "stage", t.Name, "error", err)
		}
	}()
	retries := t.Stage.Retry
	for number := 1; ; number++ {
		outcome := u.try(ctx, t, v, inputs, number)
		if outcome.State != Lost || number > retries || ctx.Err() != nil {
			return outcome
		}
		wait := min(u.Backoff<<(number-1), 30*time.Second)
		u.state(t, Lost, fmt.Sprintf("try %d of %d was lost, next in %s", number, retries+1, wait), func(res *StageResult) { res.Error = outcome.Err.Error() })
		select {
		case <-ctx.Done():
			return u.interruptible(ctx, outcome)
		case <-time.After(wait):
		}
	}
}

// try makes one attempt.
func (u *run) try(ctx context.Context, t *Task, v *Verdict, inputs map[string]storage.Artifact, number int) Outcome {
	generation, err := u.Store.Generation(ctx, t.Kind.Name, v.Key)
	if err != nil {
		return u.interruptible(ctx, failed(err))
	}
	a, err := u.attempt(t, v, inputs, number, generation+1)
	if err != nil {
		return failed(err)
	}
	if err := u.Store.Create(ctx, attemptKey(u.id, t.Name, number), mustJSON(a)); err != nil {
		return u.interruptible(ctx, failed(err))
	}
	u.state(t, Running, v.Reason, func(res *StageResult) { res.Attempt = number })
	sink := &taskSink{u: u, t: t, attempt: number}
	sink.log = newChunk(context.WithoutCancel(ctx), u.Store, u.Log, func(seq int) string { return logKey(u.id, t.Name, number, seq) })
	defer sink.log.close(context.WithoutCancel(ctx))
	limited, cancel := ctx, func() {}
	if t.Stage.Timeout > 0 {
		limited, cancel = context.WithTimeoutCause(ctx, t.Stage.Timeout, fmt.Errorf("stage %s took longer than its timeout of %s", t.Name, t.Stage.Timeout))
	}
	defer cancel()
	o := u.Executor.Execute(limited, a, sink)
	if o.Checkpointed {
		u.mu.Lock()
		u.kept = true
		u.mu.Unlock()
	}
	if o.State == Interrupted && ctx.Err() == nil && limited.Err() != nil {
		return Outcome{State: Failed, Err: stages.Fail(stages.CodeStage, "raise `timeout` of the stage; it continues from its checkpoint if it made one", "%w", context.Cause(limited))}
	}
	if o.Err != nil {
		sink.Log(slog.LevelError, o.Err.Error())
	}
	return u.interruptible(ctx, o)
}
