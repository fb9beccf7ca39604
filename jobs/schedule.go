package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
)

// Selection restricts a run to a part of the graph.
type Selection struct {
	Only     []string // these alone
	From     string   // this and what follows from it
	Until    string   // this and what it needs
	Force    []string // run these although they are done
	ForceAll bool     // force everything selected
}

// selectNodes works out which nodes are selected and which are forced.
func (r *run) selectNodes() error {
	known := r.g.Names()
	check := func(flag string, names ...string) error {
		for _, n := range names {
			if n != "" && !slices.Contains(known, n) {
				return &diagnostic.UsageError{Message: fmt.Sprintf("%s %s: the plan has no such stage", flag, n), Hint: diagnostic.Suggest(n, known)}
			}
		}
		return nil
	}
	s := r.Select
	if err := errors.Join(check("--only", s.Only...), check("--from", s.From), check("--until", s.Until), check("--force", s.Force...)); err != nil {
		return err
	}
	r.selected, r.forced = map[string]bool{}, map[string]bool{}
	down, up := r.g.Downstream(s.From), r.g.Upstream(s.Until)
	for _, n := range known {
		r.selected[n] = (len(s.Only) == 0 || slices.Contains(s.Only, n)) && (s.From == "" || down[n]) && (s.Until == "" || up[n])
		r.forced[n] = r.selected[n] && (s.ForceAll || slices.Contains(s.Force, n))
	}
	return nil
}

// schedule runs nodes as their needs are met, several at once.
func (r *run) schedule(ctx context.Context, e evaluate.Evaluator) {
	done := make(chan string)
	waiting := slices.Clone(r.g.Nodes)
	finished := map[string]bool{}
	running, stop := 0, false
	for len(waiting) > 0 || running > 0 {
		for i := 0; i < len(waiting) && running < max(r.Parallel, 1); {
			node := waiting[i]
			if slices.ContainsFunc(node.Needs, func(n string) bool { return !finished[n] }) {
				i++
				continue
			}
			waiting = slices.Delete(waiting, i, i+1)
			if reason := r.blocked(ctx, node, stop); reason != "" {
				r.changeState(node, runs.Skipped, reason, nil)
				finished[node.Name] = true
				continue
			}
			running++
			go func() {
				r.bringUpToDate(ctx, e, node)
				done <- node.Name
			}()
		}
		if running == 0 {
			continue
		}
		name := <-done
		running--
		finished[name] = true
		r.mu.Lock()
		if r.errs[name] != nil && !r.KeepGoing {
			stop = true
		}
		r.mu.Unlock()
	}
}

// NotSelected is the reason of a node that the selection leaves out.
const NotSelected = "not selected"

// blocked says why a node whose needs have ended cannot run.
func (r *run) blocked(ctx context.Context, node *graph.Node, stop bool) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range node.Needs {
		if s := r.results[n].State; !s.Done() && !(s == runs.Skipped && !r.selected[n]) {
			if !r.selected[node.Name] {
				return NotSelected
			}
			return fmt.Sprintf("%s did not succeed", n)
		}
	}
	switch {
	case ctx.Err() == nil && !stop:
		return ""
	case !r.selected[node.Name]:
		return NotSelected
	case ctx.Err() != nil:
		return "the run was interrupted"
	}
	return "another stage failed"
}

// bringUpToDate brings one node up to date.
func (r *run) bringUpToDate(ctx context.Context, e evaluate.Evaluator, node *graph.Node) {
	r.mu.Lock()
	inputs, missing := evaluate.Inputs(node, r.decisions)
	r.mu.Unlock()
	if inputs == nil || missing != "" {
		if !r.selected[node.Name] {
			r.changeState(node, runs.Skipped, NotSelected, nil)
			return
		}
		r.recordOutcome(ctx, node, executor.FromError(&diagnostic.UsageError{Message: fmt.Sprintf("stage %s needs an input that is not there: %s, and that stage is not selected", node.Name, missing), Hint: "leave out --only, --from and --until, or select that stage too"}), time.Now())
		return
	}
	began := time.Now()
	budget := newRetryBudget(node.Stage.Retry, r.Backoff)
	d, err := r.decideAndMark(ctx, e, node, inputs)
	for ; err != nil; d, err = r.decideAndMark(ctx, e, node, inputs) {
		if o := executor.FromError(err); !r.retryAfter(ctx, node, budget, o) {
			r.recordOutcome(ctx, node, r.asInterrupted(ctx, o), began)
			return
		}
	}
	if d.State == runs.Cached || d.State == runs.Failed || !r.selected[node.Name] {
		r.takeOver(node, d)
		return
	}
	r.mu.Lock()
	r.results[node.Name].Key = d.Key
	r.mu.Unlock()
	r.recordOutcome(ctx, node, r.execute(ctx, e, node, d, inputs, budget), began)
}
