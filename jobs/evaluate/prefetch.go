package evaluate

import (
	"context"

	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
	"golang.org/x/sync/errgroup"
)

// prefetchLimit is how many nodes are looked up in a store far away at once.
const prefetchLimit = 32

// prefetched is what is known of a node before the nodes that it needs are decided.
type prefetched struct {
	ready   chan struct{} // closed once found is set
	found   *Decision     // what lookup says; nil if a need has no manifest
	decided *Decision     // the same, decided
}

// prefetch decides about nodes as if all that they need were there. A key holds
// digests that stand in manifests, so a node need not wait until the outputs of
// those before it are checked: in a store far away a chain of nodes costs one
// answer each, and the checks go on beside. What is found of a node whose needs
// prove lost is not used.
func (e Evaluator) prefetch(ctx context.Context, g *graph.Graph) (map[string]*prefetched, error) {
	all := make(map[string]*prefetched, len(g.Nodes))
	for _, node := range g.Nodes {
		all[node.Name] = &prefetched{ready: make(chan struct{})}
	}
	if !e.Store.Remote() {
		// One after the other: here the calls cost more than the wait for them.
		for _, node := range g.Nodes {
			if err := e.prefetchNode(ctx, g, node, all, nil); err != nil {
				return nil, err
			}
		}
		return all, nil
	}
	slots := make(chan struct{}, prefetchLimit)
	group, ctx := errgroup.WithContext(ctx)
	for _, node := range g.Nodes {
		group.Go(func() error { return e.prefetchNode(ctx, g, node, all, slots) })
	}
	return all, group.Wait()
}

// prefetchNode decides about one node as soon as the manifests of its needs are
// known. It takes one of slots while it asks the store; nil limits nothing.
func (e Evaluator) prefetchNode(ctx context.Context, g *graph.Graph, node *graph.Node, all map[string]*prefetched, slots chan struct{}) error {
	l := all[node.Name]
	known := map[string]*Decision{}
	for _, n := range node.Needs {
		select {
		case <-all[n].ready:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if known[n] = all[n].found; known[n] == nil || known[n].State != runs.Cached || e.Force[n] {
			close(l.ready)
			return nil
		}
	}
	for _, r := range node.Inputs {
		if r.From != "" {
			known[r.From] = all[r.From].found // upstream of a need
		}
	}
	inputs, waiting := Inputs(node, known)
	if waiting != "" {
		close(l.ready)
		return nil
	}
	if slots != nil {
		slots <- struct{}{}
		defer func() { <-slots }()
	}
	d, err := e.lookup(ctx, g, node, inputs)
	switch {
	case storage.MissingOrDamaged(err):
		// An input that had to be read is not there.
		close(l.ready)
		return nil
	case err != nil:
		return err
	}
	found := *d // decide changes d, others read found
	l.found = &found
	close(l.ready)
	l.decided = d
	return e.decide(ctx, g, node, d)
}
