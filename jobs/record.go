package jobs

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// openRecords writes what a reader of the run wants to see while it goes on.
func (r *run) openRecords(ctx context.Context) error {
	if err := runs.SavePlan(ctx, r.Store, r.id, r.g.Plan.Source); err != nil {
		return err
	}
	resolved := runs.Resolved{
		Plan: r.g.Plan.Name, PlanDigest: r.g.Plan.Digest, Command: r.Command, Args: r.Args, Version: r.Version, Started: r.started,
		Order: r.g.Names(), Stages: map[string]runs.ResolvedStage{},
	}
	for _, node := range r.g.Nodes {
		resolved.Stages[node.Name] = runs.ResolvedStage{Kind: node.Kind.Name, Options: node.Decoded.All, External: node.External, Device: node.Device, Needs: node.Needs}
	}
	if err := runs.SaveResolved(ctx, r.Store, r.id, resolved); err != nil {
		return err
	}
	r.mu.Lock()
	r.journal = runs.OpenJournal(context.WithoutCancel(ctx), r.Store, r.Log, r.id)
	r.mu.Unlock()
	return nil
}

// takeOver records what the store already knows of a node that does not run.
func (r *run) takeOver(node *graph.Node, d *evaluate.Decision) {
	r.mu.Lock()
	r.decisions[node.Name] = d
	r.mu.Unlock()
	fill := func(res *runs.StageResult) {
		res.Key = d.Key
		if d.Manifest != nil {
			res.Device, res.Outputs = d.Manifest.Device, outputsOf(d.Manifest)
		}
	}
	switch d.State {
	case runs.Cached:
		r.changeState(node, runs.Cached, d.Reason, fill)
	case runs.Failed:
		err := executor.FromManifest(d.Manifest).Err
		r.recordError(node, err)
		r.changeState(node, runs.Failed, d.Reason, func(res *runs.StageResult) { fill(res); res.Error = err.Error() })
	case runs.Skipped:
		r.changeState(node, runs.Skipped, d.Reason, fill)
	default:
		r.changeState(node, runs.Skipped, notSelected, fill)
	}
}

// recordOutcome records how a node ended.
func (r *run) recordOutcome(ctx context.Context, node *graph.Node, o executor.Outcome, began time.Time) {
	if o.Manifest != nil {
		err := evaluate.SaveLast(context.WithoutCancel(ctx), r.Store, r.g.Plan.Name, node.Name, node.Kind.Name, o.Manifest.Key)
		if err != nil {
			r.Log.Warn("could not note the last run of a stage", "stage", node.Name, "error", err)
		}
		r.mu.Lock()
		r.keptWork = true
		r.decisions[node.Name] = &evaluate.Decision{State: o.State, Key: o.Manifest.Key, Manifest: o.Manifest}
		r.mu.Unlock()
	}
	if o.Err != nil {
		r.recordError(node, o.Err)
	}
	r.changeState(node, o.State, o.Reason, func(res *runs.StageResult) {
		res.Seconds = time.Since(began).Seconds()
		res.Error = ""
		if o.Err != nil {
			res.Error = o.Err.Error()
		}
		if o.Manifest != nil {
			res.Device, res.Outputs = o.Manifest.Device, outputsOf(o.Manifest)
		}
	})
}

// recordError keeps the error of a node for the run's result.
func (r *run) recordError(node *graph.Node, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs[node.Name] = err
}

func outputsOf(m *storage.Manifest) map[string]runs.OutputResult {
	out := map[string]runs.OutputResult{}
	for _, a := range m.Outputs {
		out[a.Name] = runs.OutputResult{Digest: a.Digest, Size: a.Size, Volatile: a.Volatile}
	}
	return out
}

// finish closes the run's records and returns its result. The context tells
// whether the run was asked to end.
func (r *run) finish(ctx context.Context) *runs.Result {
	res := r.result(ctx)
	r.emit(runs.Event{Type: runs.EventResult, Result: res})
	r.mu.Lock()
	journal := r.journal
	r.journal = nil
	r.mu.Unlock()
	if journal != nil {
		journal.Close()
	}
	record := runs.Record{Result: *res, Plan: r.g.Plan.Name, Started: r.started, Finished: time.Now().UTC(), Version: r.Version, Command: r.Command, Args: r.Args}
	if err := runs.SaveRecord(context.WithoutCancel(ctx), r.Store, record); err != nil {
		r.Log.Warn("could not store the run's record", "error", err)
	}
	return res
}

// result says how the run ended: as its first stage that failed in the plan's
// order, else as what ended the context before all stages were done.
func (r *run) result(ctx context.Context) *runs.Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	unfinished := false
	res := &runs.Result{Run: &r.id, Stages: make([]runs.StageResult, len(r.g.Nodes))}
	state := runs.Succeeded
	byIndex := slices.SortedFunc(slices.Values(r.g.Nodes), func(a, b *graph.Node) int { return a.Index - b.Index })
	for i, node := range byIndex {
		stage := *r.results[node.Name]
		res.Stages[i] = stage
		// A signal between two stages interrupts no stage, only the run.
		unfinished = unfinished || stage.State == runs.Interrupted || stage.State == runs.Skipped && r.selected[node.Name] && ctx.Err() != nil
		err := r.errs[node.Name]
		// Who ended the run without waiting did so for all of its stages.
		twice := errors.Is(err, executor.ErrAborted) && res.Code == stages.CodeInterrupted
		if err != nil && (res.Error == "" || twice) {
			res.Code, res.Error, res.Hint = executor.Code(err), err.Error(), executor.Hint(err)
			state = stage.State
			if errors.Is(err, executor.ErrDeadline) {
				res.Code = r.deadlineCode()
			}
		}
	}
	if res.Code == stages.CodeDone && unfinished {
		res.Code, res.Error = stages.CodeInterrupted, stages.ErrInterrupted.Error()
		if cancelled := (*runs.CancelledError)(nil); errors.As(context.Cause(ctx), &cancelled) {
			res.Error = cancelled.Error()
		}
		if errors.Is(context.Cause(ctx), executor.ErrDeadline) {
			res.Code, res.Error = r.deadlineCode(), executor.ErrDeadline.Error()
		}
	}
	res.Class, res.Retryable = res.Code.Class(), executor.Retryable(res.Code, state)
	if res.Code != stages.CodeDone {
		res.Continue = r.Continue
	}
	return res
}

// deadlineCode is the code of a run that its deadline ended: one that kept some
// of its work was interrupted, the same command continues it.
func (r *run) deadlineCode() stages.Code {
	if r.keptWork {
		return stages.CodeInterrupted
	}
	return stages.CodeDeadline
}
