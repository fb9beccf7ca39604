package runs

import (
	"context"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// Progress gathers what the journal of a run says of its stages, in plan order.
func Progress(ctx context.Context, s *storage.Store, run string) ([]StageResult, error) {
	var order []string
	known := map[string]*StageResult{}
	began := map[string]time.Time{}
	note := func(name string) *StageResult {
		if known[name] == nil {
			known[name] = &StageResult{Name: name}
			order = append(order, name)
		}
		return known[name]
	}
	// The run's first event comes before its journal does, so the stages'
	// order is in what the run resolved.
	if resolved, err := LoadResolved(ctx, s, run); err == nil {
		for _, name := range resolved.Order {
			note(name).Kind = resolved.Stages[name].Kind
		}
	}
	err := ReadJournal(ctx, s, run, func(e Event) {
		if e.Type != EventState || e.State == nil {
			return
		}
		r := note(e.Stage)
		r.State, r.Reason, r.Attempt, r.Seconds = *e.State, e.Reason, e.Attempt, e.Seconds
		r.Error = e.Message
		switch {
		case r.State == Running:
			began[e.Stage] = e.Time
		case e.Wait > 0:
			r.Error = e.Reason + ": " + e.Message
		}
	})
	if err != nil {
		return nil, err
	}
	out := make([]StageResult, 0, len(order))
	for _, name := range order {
		r := known[name]
		if r.State == Running {
			r.Seconds = time.Since(began[name]).Seconds()
		}
		out = append(out, *r)
	}
	return out, nil
}
