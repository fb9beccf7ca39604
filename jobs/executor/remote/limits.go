package remote

import (
	"cmp"
	"fmt"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
)

// Limits by default. A queue may be long; a start fetches a program, an encoder and a
// plugin; a checkpoint of a large model takes a while to store.
const (
	DefaultQueue = 24 * time.Hour
	DefaultStart = 15 * time.Minute
	DefaultGrace = 2 * time.Minute
)

// limits are those of one attempt.
func (e *Executor) limits(a *runs.Attempt) executor.Limits {
	return executor.Limits{
		Queue: cmp.Or(e.Limits.Queue, DefaultQueue), Start: cmp.Or(e.Limits.Start, DefaultStart),
		Run: a.Timeout, Grace: cmp.Or(e.Limits.Grace, DefaultGrace),
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
	switch {
	case w.phase == executor.PhaseQueued && spent > w.limits.Queue:
		return "queue", stages.Fail(stages.CodeEnvironment, fmt.Sprintf("raise executors.%s.limits.queue, or ask for less", w.place), "stage %s waited in the queue of %s for longer than its limit of %s", a.Stage, w.place, w.limits.Queue)
	case w.phase == executor.PhaseStarting && spent > w.limits.Start:
		return "start", stages.Lose(stages.CodeEnvironment, fmt.Sprintf("raise executors.%s.limits.start if the machine is slow to start; `sprint doctor --executor %s` tries it", w.place, w.place), "the worker of stage %s has not begun on %s within its limit of %s", a.Stage, w.place, w.limits.Start)
	case w.phase == executor.PhaseRunning && w.limits.Run > 0 && spent > w.limits.Run:
		return "run", stages.Fail(stages.CodeStage, "raise `timeout` of the stage; it continues from its checkpoint if it made one", "stage %s took longer than its timeout of %s", a.Stage, w.limits.Run)
	}
	return "", nil
}
