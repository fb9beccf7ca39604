package jobs

import (
	"context"
	"fmt"

	"github.com/sprint-ml/sprint/stages"
)

// preflight tries the demands of every task that will run, before any does.
func (u *run) preflight(ctx context.Context, e *Evaluation) error {
	var first error
	for _, t := range u.g.Tasks {
		v := e.Tasks[t.Name]
		if !u.selected[t.Name] || v.State.Final() {
			continue
		}
		a, err := u.attempt(t, v, nil, 0, 0)
		if err == nil {
			err = u.Store.Create(ctx, attemptKey(u.id, t.Name, 0), mustJSON(a))
		}
		if err == nil {
			err = u.Executor.Preflight(ctx, a, &taskSink{u: u, t: t})
		}
		if err != nil {
			if ctx.Err() != nil {
				err = fmt.Errorf("%w: %w", stages.ErrInterrupted, context.Cause(ctx))
			}
			first = err
			u.fail(t, err)
			state := Failed
			if ctx.Err() != nil {
				state = Interrupted
			}
			u.state(t, state, "preflight", func(res *StageResult) { res.Error = err.Error() })
			break
		}
	}
	if first == nil {
		return nil
	}
	for _, t := range u.g.Tasks {
		if v := e.Tasks[t.Name]; u.errs[t.Name] == nil {
			if v.State.Final() {
				u.settle(t, v)
			} else {
				u.state(t, Skipped, "preflight of another stage failed", nil)
			}
		}
	}
	return first
}
