// Package evaluate says what a run of a graph would do, and why: which nodes are
// cached, which would run, and what differs from the last time. It writes nothing
// but the note of a stage's last key (earlier.go).
//
//	evaluate.go  the decisions, in the order of the graph
//	prefetch.go  the same, ahead of the order, for stores that are far away
//	earlier.go   the last manifest of a stage and the nearest of a kind, to explain
//	             what changed
package evaluate

import (
	"cmp"
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
	"github.com/sprint-ml/sprint/storage/models"
)

// Evaluation says what a run of a graph would do, and why. Making one changes
// nothing anywhere.
type Evaluation struct {
	Graph     *graph.Graph
	Decisions map[string]*Decision
}

// Decision is what is known about one node.
type Decision struct {
	// State is Cached, Failed (a stored verdict of the same work), Pending
	// (will run), Waiting (its inputs are not there yet) or Skipped (it needs
	// one that failed).
	State    runs.State
	Reason   string
	Changes  []key.Change // what Reason sums up, if it tells of the stage's last work
	Key      string       // empty while inputs are unknown
	Preimage []byte
	// External is what the stage depends on outside its inputs; nil while those
	// are unknown.
	External stages.External
	Manifest *storage.Manifest // set if Cached or Failed
	// Generation is that of the newest manifest when this was decided, readable
	// or not; 0 if there was none.
	Generation int
	// Lost is the manifest of this very key whose outputs, or whose publication, are not
	// all there.
	Lost *storage.Manifest
	// Resumable nodes have a checkpoint.
	Resumable bool
}

// Work lists the nodes that would run.
func (e *Evaluation) Work() []string {
	return slices.DeleteFunc(e.Graph.Names(), func(name string) bool { return e.Decisions[name].State.Final() })
}

// Evaluator decides about nodes by what a store has.
type Evaluator struct {
	Store *storage.Store
	// Force names nodes that run although they are done.
	Force map[string]bool
}

// Evaluate decides about every node of the graph.
func (e Evaluator) Evaluate(ctx context.Context, g *graph.Graph) (*Evaluation, error) {
	ahead, err := e.prefetch(ctx, g)
	if err != nil {
		return nil, err
	}
	out := &Evaluation{Graph: g, Decisions: map[string]*Decision{}}
	for _, node := range g.Nodes {
		if bad := slices.IndexFunc(node.Needs, func(n string) bool {
			s := out.Decisions[n].State
			return s == runs.Failed || s == runs.Skipped
		}); bad >= 0 {
			out.Decisions[node.Name] = &Decision{State: runs.Skipped, Reason: node.Needs[bad] + " did not succeed"}
			continue
		}
		inputs, waiting := Inputs(node, out.Decisions)
		if waiting != "" {
			out.Decisions[node.Name] = &Decision{State: runs.Waiting, Reason: waiting}
			continue
		}
		d := ahead[node.Name].decided
		if d == nil {
			if d, err = e.Decide(ctx, g, node, inputs); err != nil {
				return nil, err
			}
		}
		out.Decisions[node.Name] = d
	}
	return out, nil
}

// Inputs gathers the artifacts a node reads; waiting says what is not there.
func Inputs(node *graph.Node, known map[string]*Decision) (inputs map[string]storage.Artifact, waiting string) {
	inputs = map[string]storage.Artifact{}
	for _, n := range node.Needs {
		if d := known[n]; d != nil && !d.State.Final() {
			waiting = fmt.Sprintf("after %s", n)
		}
	}
	for _, r := range node.Inputs {
		if r.From == "" {
			continue
		}
		d := known[r.From]
		if d == nil || d.Manifest == nil {
			return nil, fmt.Sprintf("after %s", r.From)
		}
		if d.State == runs.Failed {
			return nil, fmt.Sprintf("%s failed", r.From)
		}
		a, ok := d.Manifest.Output(r.Name)
		if !ok {
			return nil, fmt.Sprintf("%s has no %s", r.From, r.Name)
		}
		inputs[r.Name] = a
	}
	return inputs, waiting
}

// Decide decides about one node whose inputs are known.
func (e Evaluator) Decide(ctx context.Context, g *graph.Graph, node *graph.Node, inputs map[string]storage.Artifact) (*Decision, error) {
	d, err := e.lookup(ctx, g, node, inputs)
	if err != nil {
		return nil, err
	}
	return d, e.decide(ctx, g, node, d)
}

// lookup makes a node's key and looks for its manifest. What it finds is
// Cached or Failed until decide has seen whether the outputs are there.
func (e Evaluator) lookup(ctx context.Context, g *graph.Graph, node *graph.Node, inputs map[string]storage.Artifact) (*Decision, error) {
	p := node.Preimage(inputs)
	var err error
	if p.External, err = e.external(ctx, g, node, inputs); err != nil {
		return nil, err
	}
	key, canonical, err := p.Key()
	if err != nil {
		return nil, err
	}
	d := &Decision{State: runs.Pending, Key: key, Preimage: canonical, External: p.External}
	m, generation, err := e.Store.Newest(ctx, node.Kind.Name, key)
	d.Generation = generation
	switch {
	case errors.Is(err, storage.ErrNotFound) && generation == 0:
		return d, nil
	case storage.MissingOrDamaged(err):
		d.Reason = "its manifest is damaged"
		return d, nil
	case err != nil:
		return nil, err
	}
	d.Manifest = &m
	d.State, d.Reason = runs.Cached, "unchanged"
	if _, early := m.Notes[stages.NoteEndedEarly]; early {
		d.Reason = "unchanged, but ended early: its money was up; --force=" + node.Name + " does it again"
	}
	if m.Verdict != nil {
		d.State, d.Reason = runs.Failed, "the same work failed before: "+m.Verdict.Message
	}
	return d, nil
}

// external is what was resolved when the plan was compiled, and what could only
// be when the inputs were known.
func (e Evaluator) external(ctx context.Context, g *graph.Graph, node *graph.Node, inputs map[string]storage.Artifact) (stages.External, error) {
	r, ok := node.Options.(stages.InputResolver)
	if !ok {
		return node.External, nil
	}
	more, err := r.ResolveInputs(ctx, stages.Kept{Store: e.Store, Trust: g.Trust}, inputs)
	if err != nil {
		return nil, fmt.Errorf("stage %s: %w", node.Name, err)
	}
	if len(more) == 0 {
		return node.External, nil
	}
	out := stages.External{}
	maps.Copy(out, node.External)
	maps.Copy(out, more)
	return out, nil
}

// decide completes what lookup found.
func (e Evaluator) decide(ctx context.Context, g *graph.Graph, node *graph.Node, d *Decision) error {
	if d.Manifest == nil {
		if d.Reason != "" {
			return nil
		}
		return e.explainMiss(ctx, g, node, d)
	}
	reason, err := e.effectThere(ctx, node, *d.Manifest)
	switch {
	case err != nil || reason != "":
		d.State, d.Reason, d.Lost, d.Manifest = runs.Pending, reason, d.Manifest, nil
	case e.Force[node.Name]:
		d.State, d.Reason, d.Manifest = runs.Pending, "forced", nil
	}
	return err
}

// effectThere checks that all that committed work left is there, in the store and outside;
// reason says what is missing.
func (e Evaluator) effectThere(ctx context.Context, node *graph.Node, m storage.Manifest) (reason string, err error) {
	reason, err = e.storedThere(ctx, node, m)
	if x, ok := node.Options.(stages.Exporter); ok && reason == "" && err == nil && m.Verdict == nil {
		reason = x.Lacking(ctx, e.Store, m)
	}
	return reason, err
}

// storedThere is effectThere of the store.
func (e Evaluator) storedThere(ctx context.Context, node *graph.Node, m storage.Manifest) (reason string, err error) {
	if node.Kind.Published == nil {
		return e.outputsThere(ctx, m)
	}
	p, ok := node.Kind.Published(m)
	if !ok {
		return e.outputsThere(ctx, m)
	}
	var missing string
	var failed error
	var asking sync.WaitGroup
	asking.Go(func() { missing, failed = models.In(e.Store).Missing(ctx, p) })
	reason, err = e.outputsThere(ctx, m)
	asking.Wait()
	return cmp.Or(reason, missing), errors.Join(err, failed)
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
		if node, err := e.Store.Tombstone(ctx, m); err == nil {
			return fmt.Sprintf("output %s was evicted by gc on %s; nothing changed", name, node.Evicted.Local().Format(time.DateOnly)), nil
		}
		return fmt.Sprintf("output %s is gone from the store", name), nil
	case errors.Is(err, storage.ErrCorrupt):
		return fmt.Sprintf("output %s is damaged in the store", name), nil
	}
	return "", err
}

// explainMiss says why a key has no manifest: what differs from the last time
// that this stage of this plan was done.
func (e Evaluator) explainMiss(ctx context.Context, g *graph.Graph, node *graph.Node, d *Decision) error {
	resumable, err := e.Store.HasCheckpoint(ctx, node.Kind.Name, d.Key)
	if err != nil {
		return err
	}
	d.Resumable = resumable
	last, err := e.Last(ctx, g, node)
	if err != nil {
		return err
	}
	switch {
	case resumable:
		d.Reason = "continues from its checkpoint"
	case last == nil:
		d.Reason = "never done"
	default:
		d.Changes = difference(last.Preimage, node, d)
		d.Reason = key.Summary(d.Changes)
		if d.Reason == "" {
			d.Reason = "its manifest is gone"
		}
	}
	return nil
}
