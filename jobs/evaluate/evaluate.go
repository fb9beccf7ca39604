package evaluate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/key"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/check"
)

// Evaluation says what a run of a graph would do, and why. Making one changes
// nothing anywhere.
type Evaluation struct {
	Graph     *graph.Graph
	Decisions map[string]*Decision
}

// Decision is what is known about one task.
type Decision struct {
	// State is Cached, Failed (a stored verdict of the same work), Pending
	// (will run), Waiting (its inputs are not there yet) or Skipped (it needs
	// one that failed).
	State    runs.State
	Reason   string
	Key      string // empty while inputs are unknown
	Preimage []byte
	// External is what the stage depends on outside its inputs; nil while those
	// are unknown.
	External stages.External
	Manifest *storage.Manifest // set if Cached or Failed
	// Generation is that of the newest manifest when this was decided, readable
	// or not; 0 if there was none.
	Generation int
	// Lost is the manifest of this very key whose outputs are not all there.
	Lost *storage.Manifest
	// Resumable tasks have a checkpoint.
	Resumable bool
}

// Work counts the tasks that would run.
func (e *Evaluation) Work() int {
	n := 0
	for _, v := range e.Decisions {
		if v.State == runs.Pending || v.State == runs.Waiting {
			n++
		}
	}
	return n
}

// Evaluator looks tasks up in a store.
type Evaluator struct {
	Store *storage.Store
	// Force names tasks that run although they are done.
	Force map[string]bool
}

// Evaluate looks at every task of the graph.
func (e Evaluator) Evaluate(ctx context.Context, g *graph.Graph) (*Evaluation, error) {
	looks, err := e.prefetch(ctx, g)
	if err != nil {
		return nil, err
	}
	out := &Evaluation{Graph: g, Decisions: map[string]*Decision{}}
	for _, t := range g.Nodes {
		if bad := slices.IndexFunc(t.Needs, func(n string) bool {
			s := out.Decisions[n].State
			return s == runs.Failed || s == runs.Skipped
		}); bad >= 0 {
			out.Decisions[t.Name] = &Decision{State: runs.Skipped, Reason: t.Needs[bad] + " did not succeed"}
			continue
		}
		inputs, waiting := Inputs(t, out.Decisions)
		if waiting != "" {
			out.Decisions[t.Name] = &Decision{State: runs.Waiting, Reason: waiting}
			continue
		}
		v := looks[t.Name].verdict
		if v == nil {
			if v, err = e.Decide(ctx, g, t, inputs); err != nil {
				return nil, err
			}
		}
		out.Decisions[t.Name] = v
	}
	return out, nil
}

// Inputs gathers the artifacts a task reads; waiting says what is not there.
func Inputs(t *graph.Node, known map[string]*Decision) (inputs map[string]storage.Artifact, waiting string) {
	inputs = map[string]storage.Artifact{}
	for _, n := range t.Needs {
		if v := known[n]; v != nil && (v.State == runs.Pending || v.State == runs.Waiting) {
			waiting = fmt.Sprintf("after %s", n)
		}
	}
	for _, r := range t.Inputs {
		if r.From == "" {
			continue
		}
		v := known[r.From]
		if v == nil || v.Manifest == nil {
			return nil, fmt.Sprintf("after %s", r.From)
		}
		if v.State == runs.Failed {
			return nil, fmt.Sprintf("%s failed", r.From)
		}
		a, ok := v.Manifest.Output(r.Name)
		if !ok {
			return nil, fmt.Sprintf("%s has no %s", r.From, r.Name)
		}
		inputs[r.Name] = a
	}
	return inputs, waiting
}

// Decide decides about one task whose inputs are known.
func (e Evaluator) Decide(ctx context.Context, g *graph.Graph, t *graph.Node, inputs map[string]storage.Artifact) (*Decision, error) {
	v, err := e.lookup(ctx, t, inputs)
	if err != nil {
		return nil, err
	}
	return v, e.decide(ctx, g, t, v)
}

// lookup makes a task's key and looks for its manifest. What it finds is
// Cached or Failed until judge has seen whether the outputs are there.
func (e Evaluator) lookup(ctx context.Context, t *graph.Node, inputs map[string]storage.Artifact) (*Decision, error) {
	p := t.Preimage(inputs)
	var err error
	if p.External, err = e.external(ctx, t, inputs); err != nil {
		return nil, err
	}
	key, canonical, err := p.Key()
	if err != nil {
		return nil, err
	}
	v := &Decision{State: runs.Pending, Key: key, Preimage: canonical, External: p.External}
	m, generation, err := e.Store.Newest(ctx, t.Kind.Name, key)
	v.Generation = generation
	switch {
	case errors.Is(err, storage.ErrNotFound) && generation == 0:
		return v, nil
	case errors.Is(err, storage.ErrCorrupt), errors.Is(err, storage.ErrNotFound):
		v.Reason = "its manifest is damaged"
		return v, nil
	case err != nil:
		return nil, err
	}
	v.Manifest = &m
	v.State, v.Reason = runs.Cached, "unchanged"
	if m.Verdict != nil {
		v.State, v.Reason = runs.Failed, "the same work failed before: "+m.Verdict.Message
	}
	return v, nil
}

// external is what was resolved when the plan was compiled, and what could only
// be when the inputs were known.
func (e Evaluator) external(ctx context.Context, t *graph.Node, inputs map[string]storage.Artifact) (stages.External, error) {
	r, ok := t.Options.(stages.InputResolver)
	if !ok {
		return t.External, nil
	}
	more, err := r.ResolveInputs(ctx, e.Store, inputs)
	if err != nil {
		return nil, fmt.Errorf("stage %s: %w", t.Name, err)
	}
	if len(more) == 0 {
		return t.External, nil
	}
	out := maps.Clone(t.External)
	if out == nil {
		out = stages.External{}
	}
	maps.Copy(out, more)
	return out, nil
}

// decide completes what find found.
func (e Evaluator) decide(ctx context.Context, g *graph.Graph, t *graph.Node, v *Decision) error {
	if v.Manifest == nil {
		if v.Reason != "" {
			return nil
		}
		return e.explainMiss(ctx, g, t, v)
	}
	reason, err := e.outputsThere(ctx, *v.Manifest)
	switch {
	case err != nil || reason != "":
		v.State, v.Reason, v.Lost, v.Manifest = runs.Pending, reason, v.Manifest, nil
	case e.Force[t.Name]:
		v.State, v.Reason, v.Manifest = runs.Pending, "forced", nil
	}
	return err
}

// outputsThere checks that every output exists with its size; reason says what
// is missing.
func (e Evaluator) outputsThere(ctx context.Context, m storage.Manifest) (reason string, err error) {
	if len(m.Outputs) == 1 { // of most stages: no goroutine is worth it
		return e.outputThere(ctx, m, m.Outputs[0])
	}
	reasons := make([]string, len(m.Outputs))
	errs := make([]error, len(m.Outputs))
	var wg sync.WaitGroup
	for i, a := range m.Outputs {
		wg.Go(func() {
			reasons[i], errs[i] = e.outputThere(ctx, m, a)
		})
	}
	wg.Wait()
	for _, r := range reasons {
		if r != "" {
			return r, nil
		}
	}
	return "", errors.Join(errs...)
}

// outputThere checks one output, every file of a tree included.
func (e Evaluator) outputThere(ctx context.Context, m storage.Manifest, a storage.Artifact) (reason string, err error) {
	path, err := check.Present(ctx, e.Store, a)
	name := a.Name
	if path != "" {
		name += "/" + path
	}
	switch {
	case errors.Is(err, storage.ErrNotFound):
		if t, err := e.Store.Tombstone(ctx, m); err == nil {
			return fmt.Sprintf("output %s was evicted by gc on %s; nothing changed", name, t.Evicted.Local().Format(time.DateOnly)), nil
		}
		return fmt.Sprintf("output %s is gone from the store", name), nil
	case errors.Is(err, storage.ErrCorrupt):
		return fmt.Sprintf("output %s is damaged in the store", name), nil
	}
	return "", err
}

// explainMiss says why a key has no manifest: what differs from the last time
// that this stage of this plan was done.
func (e Evaluator) explainMiss(ctx context.Context, g *graph.Graph, t *graph.Node, v *Decision) error {
	resumable, err := e.Store.HasCheckpoint(ctx, t.Kind.Name, v.Key)
	if err != nil {
		return err
	}
	v.Resumable = resumable
	last, err := e.Last(ctx, g, t)
	if err != nil {
		return err
	}
	switch {
	case resumable:
		v.Reason = "continues from its checkpoint"
	case last == nil:
		v.Reason = "never done"
	default:
		v.Reason = key.Summary(key.Difference(last.Preimage, v.Preimage))
		if v.Reason == "" {
			v.Reason = "its manifest is gone"
		}
	}
	return nil
}
