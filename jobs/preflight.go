package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// preflight tries the demands of every task that will run, before any does.
func (u *run) preflight(ctx context.Context, e *evaluate.Evaluation) error {
	var first error
	for _, t := range u.g.Nodes {
		v := e.Decisions[t.Name]
		if !u.selected[t.Name] || v.State.Final() {
			continue
		}
		p := u.patience(t)
		err := u.demands(ctx, t, v)
		for err != nil && u.again(ctx, t, p, lostOnly(executor.FromError(err))) {
			err = u.demands(ctx, t, v)
		}
		if err != nil {
			state := executor.FromError(err).State
			if ctx.Err() != nil {
				state = runs.Interrupted
				err = fmt.Errorf("%w: %w", stages.ErrInterrupted, context.Cause(ctx))
			}
			first = err
			u.fail(t, err)
			u.state(t, state, "preflight", func(res *runs.StageResult) { res.Error = err.Error() })
			break
		}
	}
	if first == nil {
		return nil
	}
	for _, t := range u.g.Nodes {
		if v := e.Decisions[t.Name]; u.errs[t.Name] == nil {
			if v.State.Final() {
				u.settle(t, v)
			} else {
				u.state(t, runs.Skipped, "preflight of another stage failed", nil)
			}
		}
	}
	return first
}

// demands tries the demands of one task. Its record is attempt 0.
func (u *run) demands(ctx context.Context, t *graph.Node, v *evaluate.Decision) error {
	a, err := u.attempt(t, v, nil, 0)
	if err != nil {
		return err
	}
	err = runs.SaveAttempt(ctx, u.Store, a)
	if err != nil && !errors.Is(err, storage.ErrExists) { // of the try before
		return err
	}
	return u.Executor.Preflight(ctx, a, &taskSink{u: u, t: t})
}

// lostOnly leaves a stage's own failure its budget: a demand that is not met
// before the work is not met a second later.
func lostOnly(o executor.Outcome) executor.Outcome {
	if o.Cause == executor.CauseFailure {
		o.Cause = ""
	}
	return o
}
