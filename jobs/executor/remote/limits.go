package remote

import (
	"cmp"
	"fmt"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
)

// limits are those of one attempt.
func (e *Executor) limits(a *runs.Attempt) executor.Limits {
	return executor.Limits{
		Queue: cmp.Or(e.Limits.Queue, executor.DefaultQueue), Start: cmp.Or(e.Limits.Start, executor.DefaultStart),
		Run: a.Timeout, Grace: cmp.Or(e.Limits.Grace, executor.DefaultGrace),
	}
}

// stopwatch tells which limit of a job is over. It counts by this machine's clock.
type stopwatch struct {
	limits executor.Limits
	place  string
	phase  executor.Phase // the worker's first word makes it running, whatever the place says
	since  time.Time
}

func newStopwatch(limits executor.Limits, place string) *stopwatch {
	return &stopwatch{limits: limits, place: place, phase: executor.PhaseQueued, since: time.Now()}
}

// enter notes the phase that a job is in. Time that runs is not given back: a place may
// only put a job back into the queue.
func (w *stopwatch) enter(p executor.Phase) {
	if p == w.phase || w.phase == executor.PhaseRunning && p == executor.PhaseStarting {
		return
	}
	w.phase, w.since = p, time.Now()
}

// over returns the failure of the limit that is over, and its name.
func (w *stopwatch) over(a *runs.Attempt) (limit string, err error) {
	spent := time.Since(w.since)
	raise := func(limit string) string { return fmt.Sprintf("raise executors.%s.limits.%s", w.place, limit) }
	switch {
	case w.phase == executor.PhaseQueued && spent > w.limits.Queue:
		return executor.LimitQueue, stages.Fail(stages.CodeEnvironment, raise(executor.LimitQueue)+", or ask for less in resources of the stage",
			"stage %s waited %s in the queue of %s (limit queue: %s)", a.Stage, executor.Span(spent.Round(time.Second)), w.place, executor.Span(w.limits.Queue))
	case w.phase == executor.PhaseStarting && spent > w.limits.Start:
		return executor.LimitStart, stages.Lose(stages.CodeEnvironment, raise(executor.LimitStart)+fmt.Sprintf(" if the machine is slow to start; `sprint doctor --executor %s` tries it", w.place),
			"the worker of stage %s has not begun on %s after %s (limit start: %s)", a.Stage, w.place, executor.Span(spent.Round(time.Second)), executor.Span(w.limits.Start))
	case w.phase == executor.PhaseRunning && w.limits.Run > 0 && spent > w.limits.Run:
		return executor.LimitRun, executor.Ran(a.Stage, w.limits.Run)
	}
	return "", nil
}
