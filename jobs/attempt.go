package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// newAttempt describes an attempt of a node: all that a worker elsewhere needs.
func (r *run) newAttempt(node *graph.Node, d *evaluate.Decision, inputs map[string]storage.Artifact, number int) (*runs.Attempt, error) {
	options, err := json.Marshal(node.Options)
	if err != nil {
		return nil, fmt.Errorf("options of stage %s: %w", node.Name, err)
	}
	// Before the work is done: no manifest could be committed after it.
	next := d.Generation + 1
	if err := storage.CheckNumber("the generation of a manifest", storage.ManifestKey(node.Kind.Name, d.Key, next), next); err != nil {
		return nil, err
	}
	external := d.External
	if d.Key == "" { // a preflight: the inputs are not there yet
		external = node.External
	}
	a := &runs.Attempt{
		Run: r.id, Plan: r.g.Plan.Name, PlanDigest: r.g.Plan.Digest, Stage: node.Name, Number: number, Kind: node.Kind.Name,
		Key: d.Key, Generation: next, Preimage: d.Preimage, Options: options, Inputs: inputs, External: external,
		Files: r.g.Files(), Taxonomy: r.g.Taxonomy(), Device: node.Device, CacheDir: r.CacheDir, Offline: r.Offline, Endpoints: r.Endpoints, Version: r.Version,
	}
	if node.Kind.Published != nil && d.Key != "" {
		a.Before = r.before(node)
	}
	if executor.KeepsTime(r.Executor, a) {
		a.Timeout = node.Stage.Timeout
	}
	return a, nil
}

// before lists the work that a node needs, directly or not.
func (r *run) before(node *graph.Node) (out []stages.Work) {
	upstream := r.g.Upstream(node.Name)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.g.Nodes {
		if d := r.decisions[n.Name]; n != node && upstream[n.Name] && d != nil && d.Key != "" {
			out = append(out, stages.Work{Stage: n.Name, Kind: n.Kind.Name, Key: d.Key})
		}
	}
	return out
}

// preflight tries the demands of every node that will run, before any does.
func (r *run) preflight(ctx context.Context, e *evaluate.Evaluation) error {
	for _, node := range r.g.Nodes {
		d := e.Decisions[node.Name]
		if !r.selected[node.Name] || d.State.Final() {
			continue
		}
		budget := newRetryBudget(node.Stage.Retry, r.Backoff)
		err := r.preflightNode(ctx, node, d)
		for err != nil && r.retryAfter(ctx, node, budget, withoutFailure(executor.FromError(err))) {
			err = r.preflightNode(ctx, node, d)
		}
		if err != nil {
			r.preflightFailed(ctx, e, node, err)
			return err
		}
	}
	return nil
}

// preflightFailed records the node whose demands are not met, and the others, none of
// which runs.
func (r *run) preflightFailed(ctx context.Context, e *evaluate.Evaluation, failed *graph.Node, err error) {
	state := executor.FromError(err).State
	if ctx.Err() != nil {
		state = runs.Interrupted
		err = fmt.Errorf("%w: %w", stages.ErrInterrupted, context.Cause(ctx))
	}
	r.recordError(failed, err)
	r.changeState(failed, state, "preflight", func(res *runs.StageResult) { res.Error = err.Error() })
	for _, node := range r.g.Nodes {
		switch d := e.Decisions[node.Name]; {
		case node == failed:
		case d.State.Final():
			r.takeOver(node, d)
		default:
			r.changeState(node, runs.Skipped, "preflight of another stage failed", nil)
		}
	}
}

// preflightNode tries the demands of one node. Its record is attempt 0.
func (r *run) preflightNode(ctx context.Context, node *graph.Node, d *evaluate.Decision) error {
	a, err := r.newAttempt(node, d, nil, 0)
	if err != nil {
		return err
	}
	err = runs.SaveAttempt(ctx, r.Store, a)
	if err != nil && !errors.Is(err, storage.ErrExists) { // of the attempt before
		return err
	}
	return r.Executor.Preflight(ctx, a, &nodeSink{run: r, node: node})
}

// withoutFailure spends nothing of the budget of a stage's own failures: a demand
// that is not met before the work is not met a second later.
func withoutFailure(o executor.Outcome) executor.Outcome {
	if o.Cause == executor.CauseFailure {
		o.Cause = ""
	}
	return o
}

// execute holds the lease of a node's key and makes attempts until one decides or
// the budget is spent.
func (r *run) execute(ctx context.Context, e evaluate.Evaluator, node *graph.Node, d *evaluate.Decision, inputs map[string]storage.Artifact, budget *retryBudget) executor.Outcome {
	var lease *storage.Lease
	defer func() {
		if lease == nil {
			return
		}
		if err := lease.Release(context.WithoutCancel(ctx)); err != nil {
			r.Log.Warn("could not release a lease", "stage", node.Name, "error", err)
		}
	}()
	for number := 1; ; {
		var o executor.Outcome
		var err error
		if lease == nil {
			lease, d, err = r.acquireLease(ctx, e, node, d, inputs)
		} else {
			// The attempt before may have committed without learning of it.
			d, err = r.decideAgain(ctx, e, node, d, inputs)
		}
		var held *storage.HeldError
		switch {
		case errors.As(err, &held):
			return executor.Outcome{State: runs.Skipped, Err: err}
		case err != nil:
			o = r.asInterrupted(ctx, executor.FromError(err))
		case d.Manifest != nil:
			o = executor.FromManifest(d.Manifest)
			if o.State == runs.Succeeded && d.Manifest.Run != r.id {
				o.State, o.Reason = runs.Cached, fmt.Sprintf("run %s did it meanwhile", d.Manifest.Run)
			}
			return o
		default:
			o = r.paidAttempt(ctx, node, d, inputs, &number, lease, budget.onDemand(node.Stage.Resources))
		}
		if !r.retryAfter(ctx, node, budget, o) {
			return r.asInterrupted(ctx, o)
		}
	}
}

// attempt makes one attempt under the next number that is free, which may spend what is
// granted.
func (r *run) attempt(ctx context.Context, node *graph.Node, d *evaluate.Decision, inputs map[string]storage.Artifact, next *int, lease *storage.Lease, g grant) executor.Outcome {
	var a *runs.Attempt
	number := 0
	for taken := storage.ErrExists; errors.Is(taken, storage.ErrExists); {
		var err error
		number = *next
		*next++
		if a, err = r.newAttempt(node, d, inputs, number); err != nil {
			return executor.FromError(err)
		}
		a.Spend, a.MayPay, a.OnDemand = g.spend, g.mayPay, g.onDemand
		if taken = runs.SaveAttempt(ctx, r.Store, a); taken != nil && !errors.Is(taken, storage.ErrExists) {
			return r.asInterrupted(ctx, executor.FromError(taken))
		}
	}
	running := runs.Running
	r.reportState(node, runs.Event{State: &running, Reason: d.Reason, Estimates: r.foreseen(ctx, node, inputs)}, func(res *runs.StageResult) { res.Attempt, res.EndedBy = number, "" })
	sink := &nodeSink{run: r, node: node, attempt: number}
	sink.log = runs.OpenLog(context.WithoutCancel(ctx), r.Store, r.Log, r.id, node.Name, number)
	defer sink.log.Close()
	limited, cancel := ctx, func() {}
	if node.Stage.Timeout > 0 && !executor.KeepsTime(r.Executor, a) {
		limited, cancel = context.WithTimeoutCause(ctx, node.Stage.Timeout, executor.Ran(node.Name, node.Stage.Timeout))
	}
	defer cancel()
	guarded, taken := r.watchLease(limited, a, lease)
	o := r.Executor.Execute(guarded, a, sink)
	winner, held := taken(), o.Held
	if o.Checkpointed {
		r.mu.Lock()
		r.keptWork = true
		r.mu.Unlock()
	}
	switch {
	case o.Manifest == nil && winner != nil:
		sink.Log(slog.LevelInfo, errTaken.Error()+"; this attempt ends and takes that result")
		o = executor.FromManifest(winner)
		o.Held = held
		return o
	case o.State == runs.Interrupted && ctx.Err() == nil && limited.Err() != nil:
		sink.Note(executor.NoteEndedBy, executor.LimitRun)
		o = executor.FromError(context.Cause(limited))
	}
	if o.Err != nil {
		sink.Log(slog.LevelError, o.Err.Error())
	}
	return r.asInterrupted(ctx, o)
}

// asInterrupted turns what a cancelled context did to an outcome into an
// interruption.
func (r *run) asInterrupted(ctx context.Context, o executor.Outcome) executor.Outcome {
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
