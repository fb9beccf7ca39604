package care

import (
	"context"
	"errors"
	"fmt"

	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
)

// sources tries what the stages of the plan take from outside the store.
func (d *doctor) sources(ctx context.Context) {
	look := graph.NewLookup(d.plan.Plan.Dir(), d.cfg.Cache, d.cfg.Offline, app.Now())
	defer look.Close() //nolint:errcheck // what it would keep are digests, and none was computed
	for _, node := range d.plan.Graph.Nodes {
		prober, ok := node.Options.(stages.Prober)
		if !ok {
			continue
		}
		for _, p := range prober.Probe(ctx, look) {
			text := fmt.Sprintf("%s: %s: ", node.Name, p.Source)
			switch {
			case p.Err != nil:
				fix := "see what the stage takes: sprint schema --kind " + node.Kind.Name
				if f, ok := errors.AsType[*stages.Failure](p.Err); ok && f.Hint != "" {
					fix = f.Hint
				}
				d.line(false, "source", text+p.Err.Error(), fix)
			case p.Untried != "":
				d.hint("source", text+"not tried, "+p.Untried, "")
			default:
				d.line(true, "source", text+p.Found, "")
			}
		}
	}
}
