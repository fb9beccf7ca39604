package progress

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/jobs/runs"
)

// plainView writes a line per change, and a heartbeat of each stage that takes long.
type plainView struct {
	summary
	mu   sync.Mutex
	live live
	stop func()
}

func newPlain(o Options) *plainView {
	v := &plainView{summary: summary{o}, live: live{graph: o.Graph, parallel: o.Parallel}}
	v.stop = every(time.Second, v.beat)
	return v
}

func (v *plainView) beat() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.Quiet {
		return
	}
	v.live.beat(v.Err)
}

func (v *plainView) Observe(e runs.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.live.observe(e)
	if v.Quiet && e.Type != runs.EventStop && (e.Type != runs.EventState || e.State.Done() || !e.State.Final()) {
		return
	}
	line := v.line(e)
	if line == "" {
		return
	}
	if text := v.live.overall(); text != "" && e.Type == runs.EventState && *e.State == runs.Running {
		line += "; " + text
	}
	fmt.Fprintln(v.Err, line)
	v.live.tell(e.Stage)
}

func (v *plainView) Close() { v.stop() }

func (v *plainView) Finish(ctx context.Context, r *runs.Result) {
	v.Close()
	v.show(ctx, r)
}
