package evaluate

import (
	"context"
	"errors"

	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
	"golang.org/x/sync/errgroup"
)

// looksAtOnce is how many tasks are looked up in a store far away at once.
const looksAtOnce = 32

// look is what is known of a task before those that it needs are judged.
type look struct {
	found    chan struct{} // closed once manifest is known
	manifest *Decision     // what find says; nil if a need has none
	verdict  *Decision     // the same, judged
}

// prefetch looks tasks up as if all that they need were there. A key holds
// digests that stand in manifests, so nobody has to wait until the outputs of
// those before were checked: in a store far away a chain of tasks costs one
// answer each, and its checks go on beside. What is found of a task whose needs
// prove lost counts for nothing.
func (e Evaluator) prefetch(ctx context.Context, g *graph.Graph) (map[string]*look, error) {
	looks := make(map[string]*look, len(g.Nodes))
	for _, t := range g.Nodes {
		looks[t.Name] = &look{found: make(chan struct{})}
	}
	if !e.Store.Remote() {
		// One after the other: here the calls cost more than the wait for them.
		for _, t := range g.Nodes {
			if err := e.look(ctx, g, t, looks, nil); err != nil {
				return nil, err
			}
		}
		return looks, nil
	}
	slots := make(chan struct{}, looksAtOnce)
	group, ctx := errgroup.WithContext(ctx)
	for _, t := range g.Nodes {
		group.Go(func() error { return e.look(ctx, g, t, looks, slots) })
	}
	return looks, group.Wait()
}

func (e Evaluator) look(ctx context.Context, g *graph.Graph, t *graph.Node, looks map[string]*look, slots chan struct{}) error {
	l := looks[t.Name]
	known := map[string]*Decision{}
	for _, n := range t.Needs {
		select {
		case <-looks[n].found:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if known[n] = looks[n].manifest; known[n] == nil || known[n].State != runs.Cached || e.Force[n] {
			close(l.found)
			return nil
		}
	}
	for _, r := range t.Inputs {
		if r.From != "" {
			known[r.From] = looks[r.From].manifest // upstream of a need
		}
	}
	inputs, waiting := Inputs(t, known)
	if waiting != "" {
		close(l.found)
		return nil
	}
	if slots != nil {
		slots <- struct{}{}
		defer func() { <-slots }()
	}
	v, err := e.lookup(ctx, t, inputs)
	switch {
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrCorrupt):
		// An input that had to be read is not there.
		close(l.found)
		return nil
	case err != nil:
		return err
	}
	found := *v // what judge changes is not for others
	l.manifest = &found
	close(l.found)
	l.verdict = v
	return e.decide(ctx, g, t, v)
}
