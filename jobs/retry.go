package jobs

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
)

// retryBudget is how often a node may still be tried again, by cause.
type retryBudget struct {
	total, spent map[executor.Cause]int
	wait         time.Duration
}

// maxWait caps the doubling.
const maxWait = 30 * time.Second

func newRetryBudget(r config.Retry, wait time.Duration) *retryBudget {
	return &retryBudget{wait: cmp.Or(wait, r.Wait), spent: map[executor.Cause]int{}, total: map[executor.Cause]int{
		executor.CauseNetwork: r.Network, executor.CauseStore: r.Store, executor.CauseMachine: r.Machine, executor.CauseFailure: r.Failure,
		executor.CauseInterruption: r.Interruptions,
	}}
}

// take takes one try of a cause's budget and says how long to wait before it:
// doubled with each try of that cause, and by chance between half and the whole
// of that, so that many runners do not come back at once.
func (b *retryBudget) take(c executor.Cause) (wait time.Duration, ok bool) {
	n := b.spent[c]
	if n >= b.total[c] {
		return 0, false
	}
	b.spent[c]++
	wait = min(b.wait<<min(n, 16), max(maxWait, b.wait))
	return wait/2 + rand.N(wait/2+1), true
}

// onDemand reports whether a stage that may be interrupted was so often enough to go to a
// machine that stays.
func (b *retryBudget) onDemand(r config.Resources) bool {
	return r.Preemptible && r.OnDemandAfter > 0 && b.spent[executor.CauseInterruption] >= r.OnDemandAfter
}

// retryAfter decides whether a node is tried once more after o, tells the observer
// and waits.
func (r *run) retryAfter(ctx context.Context, node *graph.Node, budget *retryBudget, o executor.Outcome) bool {
	if ctx.Err() != nil || o.Manifest != nil || o.Cause == "" {
		return false
	}
	wait, ok := budget.take(o.Cause)
	if o.Cause == executor.CauseInterruption {
		r.mu.Lock()
		r.results[node.Name].Interruptions++
		r.mu.Unlock()
	}
	if !ok {
		return false
	}
	round := time.Millisecond
	if wait >= time.Second {
		round *= 100
	}
	what := fmt.Sprintf("%s trouble", o.Cause)
	switch {
	case o.Cause == executor.CauseFailure:
		what = "it failed"
	case o.Cause == executor.CauseInterruption && budget.onDemand(node.Stage.Resources):
		what = "the machine was taken away, next on demand"
	case o.Cause == executor.CauseInterruption:
		what = "the machine was taken away"
	}
	reason := fmt.Sprintf("%s, try %d of %d more in %s", what, budget.spent[o.Cause], budget.total[o.Cause], wait.Round(round))
	r.reportState(node, runs.Event{State: new(runs.Lost), Reason: reason, Cause: string(o.Cause), Wait: wait.Seconds()}, func(res *runs.StageResult) { res.Error = o.Err.Error() })
	select {
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}
