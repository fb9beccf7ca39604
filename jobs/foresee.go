package jobs

import (
	"context"
	"maps"
	"sync"

	"github.com/sprint-ml/sprint/jobs/estimate"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/storage"
)

// foresee reads the estimates of the nodes that will run, while the run gets ready. The
// function that it returns waits for them and gives the seconds that are known: 0 for
// nodes that do not run.
func (r *run) foresee(ctx context.Context, e *evaluate.Evaluation) func() map[string]float64 {
	var names []string
	seconds := map[string]float64{}
	for _, name := range e.Graph.Names() {
		if e.Decisions[name].State.Final() || !r.selected[name] {
			seconds[name] = 0
		} else {
			names = append(names, name)
		}
	}
	found := make(chan map[string]estimate.Stage, 1)
	go func() { found <- estimate.Of(ctx, e, r.Store, names) }()
	return sync.OnceValue(func() map[string]float64 {
		r.estimates = <-found
		maps.Copy(seconds, estimate.Seconds(ctx, e, r.estimates))
		return seconds
	})
}

// foreseen is the estimate of a node that begins: its inputs are all known now.
func (r *run) foreseen(ctx context.Context, node *graph.Node, inputs map[string]storage.Artifact) map[string]float64 {
	seconds := r.estimates[node.Name].Seconds(ctx, inputs)
	if seconds <= 0 {
		return nil
	}
	return map[string]float64{node.Name: seconds}
}
