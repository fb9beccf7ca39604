package remote

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
)

// followed is a job that is being followed. Its fields are of one goroutine.
type followed struct {
	*Executor
	a      *runs.Attempt
	job    *executor.Job
	handle executor.Handle
	sink   executor.Sink

	clock  *stopwatch
	meter  meter
	note   *runs.Job     // what the store says of the job
	before time.Time     // since when it held a machine before it was followed; zero if it did not
	spend  time.Duration // for which the job may hold a machine; 0 is no limit
	told   allowed       // what the worker was told of that
	last   executor.Status
	pieces int               // of the worker's messages that were passed on
	word   *executor.Message // the last that it said in its messages
}

// watched is what the place says: a change, or the end.
type watched struct {
	status executor.Status
	ended  bool
	err    error
}

// follow passes on what a job says until nothing of it runs any more, and returns what
// that means.
func (f *followed) follow(ctx context.Context) executor.Outcome {
	changes, stop := f.changes(context.WithoutCancel(ctx))
	defer stop()
	o := f.untilEnd(ctx, changes)
	f.meter.enter(executor.PhaseEnded)
	o.Held = f.meter.held
	return o
}

// changes begins to watch the job; stop ends that, and returns when nothing of it runs.
func (f *followed) changes(ctx context.Context) (changes <-chan watched, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	all := make(chan watched, 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.watch(ctx, all)
	}()
	return all, func() {
		cancel()
		for {
			select {
			case <-all:
			case <-done:
				return
			}
		}
	}
}

// watch asks the place until the job has ended there.
func (f *followed) watch(ctx context.Context, changes chan<- watched) {
	began := time.Now()
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		status, err := f.Provider.Watch(ctx, f.handle, func(s executor.Status) {
			began = time.Now()
			changes <- watched{status: s}
		})
		if err == nil || ctx.Err() != nil || executor.CauseOf(err) == "" || time.Since(began) > f.retryBudget() {
			changes <- watched{status: status, ended: true, err: err}
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// untilEnd is the loop of follow.
func (f *followed) untilEnd(ctx context.Context, changes <-chan watched) executor.Outcome {
	began := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return f.cancelled(ctx)
		case c := <-changes:
			before := f.last
			f.tell(c.status)
			if f.job.Resources.Preemptible && before.Phase != "" && c.status.Restarts > before.Restarts {
				return f.startedAgain(ctx)
			}
			if !c.ended {
				continue
			}
			if c.err != nil {
				f.Log.Warn("a place does not say how a job goes on", "executor", f.Name, "job", f.job.ID, "error", c.err)
				f.last = executor.Status{Phase: executor.PhaseEnded, Lost: true, Reason: c.err.Error(), Hint: executor.Hint(c.err)}
			}
			return f.ended(ctx)
		case <-timer.C:
			// The worker may have recorded its last word before the place knows of its end.
			if f.relayInTime(ctx); f.word != nil && f.word.State != runs.Interrupted {
				if _, err := f.decided(ctx); err == nil {
					return f.ended(ctx)
				}
			}
			if err := f.overspent(); err != nil {
				return f.overtime(ctx, "money", err)
			}
			if limit, err := f.clock.over(f.a); err != nil {
				return f.overtime(ctx, limit, err)
			}
			timer.Reset(f.pause(time.Since(began)))
		}
	}
}

// longestPause is how long the store is left alone at most.
const longestPause = 2 * time.Second

// pause is how long the store is left alone: short work is told of at once, long work
// costs few requests.
func (f *followed) pause(age time.Duration) time.Duration {
	return min(cmp.Or(f.Poll, 200*time.Millisecond)+age/100, longestPause)
}

// tell passes a change of the place's word on.
func (f *followed) tell(s executor.Status) {
	if s == f.last || s.Phase == "" {
		return
	}
	f.last = s
	f.count(s.Phase)
	if s.Phase != executor.PhaseRunning { // the worker's own first word is what counts
		f.clock.enter(s.Phase)
	} else if f.clock.phase == executor.PhaseQueued {
		f.clock.enter(executor.PhaseStarting)
	}
	text := fmt.Sprintf("%s: %s", f.Name, s.Phase)
	if s.Node != "" {
		text += " on " + s.Node
	}
	if s.Restarts > 0 {
		text += fmt.Sprintf(", started again %d times", s.Restarts)
	}
	if s.Reason != "" {
		text += ": " + s.Reason
	}
	f.sink.Log(slog.LevelInfo, text)
	if s.Node != "" {
		f.sink.Note("node", s.Node)
	}
}

// relay passes on what the worker has stored since. A store that is gone is asked again
// the next time.
func (f *followed) relay(ctx context.Context) {
	var said bytes.Buffer
	last, err := runs.CopyMessages(ctx, f.Store, f.a.Run, f.a.Stage, f.a.Number, f.pieces, &said)
	if last > f.pieces {
		f.clock.enter(executor.PhaseRunning)
		if f.last.Phase != executor.PhaseEnded {
			f.count(executor.PhaseRunning)
		}
		f.pieces = last
		f.word = cmp.Or(executor.Relay(&said, f.sink), f.word)
		f.tellSpend(ctx)
	}
	if err != nil && ctx.Err() == nil {
		f.Log.Debug("a worker's messages cannot be read now", "job", f.job.ID, "error", err)
	}
}

// relayInTime is relay, for no longer than the job's money pays: a store that is gone must
// not cost what nobody has allowed.
func (f *followed) relayInTime(ctx context.Context) {
	if f.spend > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, max(f.spend-f.meter.so(), longestPause))
		defer cancel()
	}
	f.relay(ctx)
}

// cancelled asks the job to end.
func (f *followed) cancelled(ctx context.Context) executor.Outcome {
	began, queued := time.Now(), f.last.Phase == executor.PhaseQueued || f.last.Phase == ""
	err := f.cancel(ctx)
	aborted := false
	select {
	case <-f.Abort:
		aborted = true
	default:
	}
	grace := time.Since(began) >= f.job.Limits.Grace
	o := f.outcome(context.WithoutCancel(ctx), true)
	if !queued && grace && !aborted && f.word == nil && o.Manifest == nil {
		f.sink.Note(executor.NoteEndedBy, executor.LimitGrace)
		f.sink.Log(slog.LevelWarn, fmt.Sprintf("%s: the worker of stage %s was ended before it had checkpointed (limit grace: %s); raise executors.%s.limits.grace", f.Name, f.a.Stage, executor.Span(f.job.Limits.Grace), f.Name))
	}
	switch {
	case o.Manifest != nil:
		return o
	case aborted:
		o = executor.Outcome{State: runs.Interrupted, Err: executor.ErrAborted, Checkpointed: o.Checkpointed}
	case o.State != runs.Interrupted:
		o = executor.Outcome{State: runs.Interrupted, Err: stages.ErrInterrupted, Checkpointed: o.Checkpointed}
	}
	if err != nil {
		f.sink.Log(slog.LevelWarn, fmt.Sprintf("%s: the job %s could not be ended, and ends by itself once nobody waits for it: %v", f.Name, f.job.ID, err))
	}
	return o
}

// cancel ends the job within its grace time, or at once after an abort.
func (f *followed) cancel(ctx context.Context) (err error) {
	defer func() {
		if err == nil { // what the store says of it may be long in coming
			f.meter.enter(executor.PhaseEnded)
		}
	}()
	limited, stop := context.WithTimeout(context.WithoutCancel(ctx), f.job.Limits.Grace+time.Minute)
	defer stop()
	gentle, hurry := context.WithCancel(limited)
	defer hurry()
	done := make(chan error, 1)
	go func() { done <- f.Provider.Cancel(gentle, f.handle, f.job.Limits.Grace) }()
	select {
	case err := <-done:
		return err
	case <-f.Abort:
	}
	hurry()
	if err := <-done; err == nil {
		return nil // it was quicker than its end
	}
	return f.Provider.Cancel(limited, f.handle, 0)
}

// startedAgain ends a job whose machine was taken away and which its place starts again by
// itself: the runner counts interruptions, and may ask for a machine that stays.
func (f *followed) startedAgain(ctx context.Context) executor.Outcome {
	if err := f.cancel(ctx); err != nil {
		f.sink.Log(slog.LevelWarn, fmt.Sprintf("%s: %v", f.Name, err))
	}
	o := f.outcome(context.WithoutCancel(ctx), true)
	if o.Manifest != nil || ctx.Err() != nil {
		return o
	}
	lost := executor.FromError(f.placeError(executor.Status{Preempted: true, Reason: f.last.Reason}, "the worker of stage "+f.a.Stage+" lost its machine"))
	lost.Cause, lost.Checkpointed = executor.CauseInterruption, o.Checkpointed
	return lost
}

// overtime ends a job whose limit is over.
func (f *followed) overtime(ctx context.Context, limit string, err error) executor.Outcome {
	f.sink.Note(executor.NoteEndedBy, limit)
	if cancel := f.cancel(ctx); cancel != nil {
		f.sink.Log(slog.LevelWarn, fmt.Sprintf("%s: %v", f.Name, cancel))
	}
	o := f.outcome(context.WithoutCancel(ctx), true)
	if o.Manifest != nil {
		return o
	}
	out := executor.FromError(err)
	if out.Checkpointed = o.Checkpointed; errors.Is(err, stages.ErrMoney) {
		out.State = runs.Interrupted
	}
	return out
}

// ended removes what a job left at its place, and returns what its end means.
func (f *followed) ended(ctx context.Context) executor.Outcome {
	o := f.outcome(ctx, false)
	if ctx.Err() != nil && o.Manifest == nil {
		return f.cancelled(ctx)
	}
	if err := f.cancel(ctx); err != nil {
		f.sink.Log(slog.LevelWarn, fmt.Sprintf("%s: %v", f.Name, err))
	}
	return o
}
