package jobs

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
)

// walk runs tasks as their needs are met, several at once.
func (u *run) walk(ctx context.Context, e evaluate.Evaluator) {
	done := make(chan string)
	waiting := slices.Clone(u.g.Nodes)
	finished := map[string]bool{}
	running, stop := 0, false
	for len(waiting) > 0 || running > 0 {
		for i := 0; i < len(waiting) && running < max(u.Parallel, 1); {
			t := waiting[i]
			if slices.ContainsFunc(t.Needs, func(n string) bool { return !finished[n] }) {
				i++
				continue
			}
			waiting = slices.Delete(waiting, i, i+1)
			if reason := u.blocked(ctx, t, stop); reason != "" {
				u.state(t, runs.Skipped, reason, nil)
				finished[t.Name] = true
				continue
			}
			running++
			go func() {
				u.task(ctx, e, t)
				done <- t.Name
			}()
		}
		if running == 0 {
			continue
		}
		name := <-done
		running--
		finished[name] = true
		u.mu.Lock()
		if u.errs[name] != nil && !u.KeepGoing {
			stop = true
		}
		u.mu.Unlock()
	}
}

// notSelected is the reason of a task that the selection leaves out.
const notSelected = "not selected"

// blocked says why a task whose needs have ended cannot run.
func (u *run) blocked(ctx context.Context, t *graph.Node, stop bool) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, n := range t.Needs {
		if s := u.results[n].State; !s.Done() && !(s == runs.Skipped && !u.selected[n]) {
			if !u.selected[t.Name] {
				return notSelected
			}
			return fmt.Sprintf("%s did not succeed", n)
		}
	}
	switch {
	case ctx.Err() == nil && !stop:
		return ""
	case !u.selected[t.Name]:
		return notSelected
	case ctx.Err() != nil:
		return "the run was interrupted"
	}
	return "another stage failed"
}

// task brings one task up to date.
func (u *run) task(ctx context.Context, e evaluate.Evaluator, t *graph.Node) {
	u.mu.Lock()
	inputs, missing := evaluate.Inputs(t, u.known)
	u.mu.Unlock()
	if inputs == nil || missing != "" {
		if !u.selected[t.Name] {
			u.state(t, runs.Skipped, notSelected, nil)
			return
		}
		u.end(ctx, t, executor.FromError(&config.UsageError{Message: fmt.Sprintf("stage %s needs an input that is not there: %s, and that stage is not selected", t.Name, missing), Hint: "leave out --only, --from and --until, or select that stage too"}), time.Now())
		return
	}
	began := time.Now()
	p := u.patience(t)
	v, err := u.rely(ctx, e, t, inputs)
	for ; err != nil; v, err = u.rely(ctx, e, t, inputs) {
		if o := executor.FromError(err); !u.again(ctx, t, p, o) {
			u.end(ctx, t, u.interruptible(ctx, o), began)
			return
		}
	}
	if v.State == runs.Cached || v.State == runs.Failed || !u.selected[t.Name] {
		u.settle(t, v)
		return
	}
	u.mu.Lock()
	u.results[t.Name].Key = v.Key
	u.mu.Unlock()
	u.end(ctx, t, u.execute(ctx, e, t, v, inputs, p), began)
}
