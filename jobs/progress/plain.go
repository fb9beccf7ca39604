package progress

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
)

// plainView writes a line per change and a heartbeat for what takes long.
type plainView struct {
	summary
	mu    sync.Mutex
	last  map[string]stages.Progress
	wrote time.Time
	stop  func()
}

// heartbeat is the longest silence of the plain view.
const heartbeat = 15 * time.Second

func newPlain(o Options) *plainView {
	v := &plainView{summary: summary{o}, last: map[string]stages.Progress{}, wrote: time.Now()}
	v.stop = every(time.Second, v.beat)
	return v
}

func (v *plainView) beat() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.Quiet || time.Since(v.wrote) < heartbeat {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(v.last)) {
		fmt.Fprintf(v.Err, "%-10s %s\n", name, progressText(v.last[name]))
	}
	v.wrote = time.Now()
}

func (v *plainView) Observe(e runs.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch e.Type {
	case runs.EventProgress:
		v.last[e.Stage] = *e.Progress
		return
	case runs.EventState:
		if e.State.Final() {
			delete(v.last, e.Stage)
		}
	}
	if v.Quiet && e.Type != runs.EventStop && (e.Type != runs.EventState || e.State.Done() || !e.State.Final()) {
		return
	}
	if line := v.line(e); line != "" {
		fmt.Fprintln(v.Err, line)
		v.wrote = time.Now()
	}
}

func (v *plainView) Close() { v.stop() }

func (v *plainView) Finish(ctx context.Context, r *runs.Result) {
	v.Close()
	v.show(ctx, r)
}
