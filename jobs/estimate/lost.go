package estimate

import (
	"context"
	"time"

	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/storage"
)

// Lost says in words how long the work of a stage takes, which one that keeps no checkpoint
// loses when it is interrupted; empty if no earlier work tells. It reads the store.
func Lost(ctx context.Context, g *graph.Graph, store *storage.Store) func(*graph.Node) string {
	return func(node *graph.Node) string {
		seconds := ofNode(ctx, g, store, node).Seconds(ctx, nil)
		if seconds <= 0 {
			return ""
		}
		return About(time.Duration(seconds * float64(time.Second)))
	}
}
