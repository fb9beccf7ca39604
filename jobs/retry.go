package jobs

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
)

// patience is what is left of a task's budgets.
type patience struct {
	left  map[executor.Cause]int
	total map[executor.Cause]int
	wait  time.Duration
}

// maxWait caps the doubling.
const maxWait = 30 * time.Second

func newPatience(r config.Retry, wait time.Duration) *patience {
	p := &patience{left: map[executor.Cause]int{}, total: map[executor.Cause]int{executor.CauseNetwork: r.Network, executor.CauseStore: r.Store, executor.CauseMachine: r.Machine, executor.CauseFailure: r.Failure}, wait: r.Wait}
	if wait != 0 {
		p.wait = wait
	}
	maps.Copy(p.left, p.total)
	return p
}

// next takes one try of a cause's budget and says how long to wait before it:
// doubled with each try of that cause, and by chance between half and the whole
// of that, so that many runners do not come back at once.
func (p *patience) next(c executor.Cause) (wait time.Duration, ok bool) {
	if p.left[c] <= 0 {
		return 0, false
	}
	n := p.total[c] - p.left[c]
	p.left[c]--
	wait = min(p.wait<<min(n, 16), max(maxWait, p.wait))
	return wait/2 + rand.N(wait/2+1), true
}

func (u *run) patience(t *graph.Node) *patience { return newPatience(t.Stage.Retry, u.Backoff) }

// again decides whether a task is tried once more after o, says so and waits.
func (u *run) again(ctx context.Context, t *graph.Node, p *patience, o executor.Outcome) bool {
	if ctx.Err() != nil || o.Manifest != nil || o.Cause == "" {
		return false
	}
	wait, ok := p.next(o.Cause)
	if !ok {
		return false
	}
	tries := p.total[o.Cause]
	round := time.Millisecond
	if wait >= time.Second {
		round *= 100
	}
	what := fmt.Sprintf("%s trouble", o.Cause)
	if o.Cause == executor.CauseFailure {
		what = "it failed"
	}
	reason := fmt.Sprintf("%s, try %d of %d more in %s", what, tries-p.left[o.Cause], tries, wait.Round(round))
	u.tell(t, runs.Event{State: new(runs.Lost), Reason: reason, Wait: wait.Seconds()}, func(res *runs.StageResult) { res.Error = o.Err.Error() })
	select {
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}
