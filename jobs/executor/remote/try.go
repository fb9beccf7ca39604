package remote

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/trial"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// Trial is what a place is tried for.
type Trial struct {
	Resources executor.Resources
	// Flags are further ones of the worker, for its caller's checks.
	Flags []string
	// Note is told what is found, in turn.
	Note func(trial.Finding)
}

// trialQueue is the longest wait for a machine, trialGrace that for a job's end.
const (
	trialQueue  = 10 * time.Minute
	trialSubmit = 30 * time.Second
	trialGrace  = 10 * time.Second
)

// TrialLimits are those of a trial: of the place's own the queue is cut.
func (e *Executor) TrialLimits() executor.Limits {
	return executor.Limits{
		Queue: min(cmp.Or(e.Limits.Queue, executor.DefaultQueue), trialQueue), Start: cmp.Or(e.Limits.Start, executor.DefaultStart),
		Run: trial.Limit, Grace: trialGrace,
	}
}

// Try submits a job that tries the place, waits for its end within TrialLimits, and tells
// what it found. It leaves nothing there nor in the store, whose program others share; an
// error is that of ctx, or of a trial that could not be made: what is wrong there is a
// finding.
func (e *Executor) Try(ctx context.Context, t Trial) error {
	nonce := strings.ToLower(rand.Text())
	job, err := e.trialJob(ctx, t, nonce)
	if err != nil {
		return err
	}
	lasting := context.WithoutCancel(ctx)
	defer func() {
		limited, stop := context.WithTimeout(lasting, time.Minute)
		defer stop()
		for _, key := range []string{trial.Wanted(nonce), trial.Key(nonce)} {
			if err := e.Store.Sweep(limited, key); err != nil {
				e.Log.Warn("an object of the trial is left in the store", "key", key, "error", err)
			}
		}
	}()
	if err := e.Store.WriteFile(ctx, trial.Wanted(nonce), []byte(job.ID)); err != nil {
		return err
	}
	began := time.Now()
	handle, err := e.submitTrial(ctx, job)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		t.Note(failed("submit", err))
		return nil
	}
	status, err := e.watchTrial(ctx, job, handle, t.Note)
	if err == nil {
		e.tellTrial(ctx, job, handle, status, began, nonce, t.Note)
	}
	limited, stop := context.WithTimeout(lasting, trialGrace+time.Minute)
	defer stop()
	if gone := e.Provider.Cancel(limited, handle, trialGrace); gone != nil {
		t.Note(failed("cancel", gone))
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		t.Note(failed("job", err))
	}
	return nil
}

func failed(what string, err error) trial.Finding {
	return trial.Finding{What: what, State: trial.Bad, Text: err.Error(), Fix: executor.Hint(err)}
}

// trialJob is the job of a trial.
func (e *Executor) trialJob(ctx context.Context, t Trial, nonce string) (*executor.Job, error) {
	job, err := e.Job(ctx, &runs.Attempt{Run: "probe", Stage: "probe"})
	if err != nil {
		return nil, err
	}
	job.ID = executor.JobID("probe", "probe", 1, nonce)
	job.Argv = slices.Concat([]string{"worker", "--elsewhere", "--store", e.Store.Source(), "--probe", nonce, "--device", cmp.Or(t.Resources.Device, "auto")}, t.Flags, e.WorkerFlags)
	for _, name := range e.Secrets {
		job.Argv = append(job.Argv, "--secret", name)
	}
	job.Resources, job.Limits = t.Resources, e.TrialLimits()
	return job, nil
}

// submitTrial starts the job. A place that has no answer now is asked again for a while.
func (e *Executor) submitTrial(ctx context.Context, job *executor.Job) (executor.Handle, error) {
	for began := time.Now(); ; {
		h, err := e.Provider.Submit(ctx, job)
		if err == nil || ctx.Err() != nil || executor.CauseOf(err) == "" || time.Since(began) > trialSubmit {
			return h, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// watchTrial waits for the end of the job, or of the time of one of its phases.
func (e *Executor) watchTrial(ctx context.Context, job *executor.Job, h executor.Handle, note func(trial.Finding)) (executor.Status, error) {
	changes, stop := (&followed{Executor: e, job: job, handle: h}).changes(ctx)
	defer stop()
	var last executor.Status
	limit := time.NewTimer(job.Limits.Queue)
	defer limit.Stop()
	for {
		select {
		case <-ctx.Done():
			return last, context.Cause(ctx)
		case <-limit.C:
			return last, e.trialOvertime(job, last)
		case c := <-changes:
			if c.ended {
				return c.status, c.err
			}
			if c.status.Phase != last.Phase {
				limit.Reset(trialLimit(job.Limits, c.status.Phase))
			}
			if c.status != last && c.status.Phase != "" {
				note(phase(c.status))
			}
			last = c.status
		}
	}
}

// phase tells how far a job has come. What a queue waits for is no fault yet.
func phase(s executor.Status) trial.Finding {
	text := string(s.Phase)
	if s.Node != "" {
		text += " on " + s.Node
	}
	if s.Reason != "" {
		text += ": " + s.Reason
	}
	return trial.Finding{What: "job", State: trial.OK, Text: text, Fix: s.Hint}
}

// tellTrial tells what the worker found, by the store, or by the place's log where the
// worker did not reach the store.
func (e *Executor) tellTrial(ctx context.Context, job *executor.Job, h executor.Handle, s executor.Status, began time.Time, nonce string, note func(trial.Finding)) {
	ended := time.Now()
	var found []trial.Finding
	if text, err := e.Store.ReadFile(ctx, trial.Key(nonce), trial.MaxBytes); err == nil {
		found = trial.Parse(bytes.NewReader(text))
	} else if !errors.Is(err, storage.ErrNotFound) {
		note(failed("store", err))
	}
	if logger, ok := e.Provider.(executor.Logger); ok && len(found) == 0 {
		log := executor.Head{Most: trial.MaxBytes}
		if err := logger.Logs(ctx, h, &log); err != nil {
			e.Log.Debug("the place's log cannot be read", "job", job.ID, "error", err)
		}
		found = trial.Parse(bytes.NewReader(log.Bytes()))
	}
	complete, clock := false, false
	for _, f := range found {
		clock = clock || f.What == "clock"
		if complete = f.What == trial.End; !complete {
			note(f)
		}
	}
	if len(found) > 0 {
		// What was found was found between the submit and the end.
		c := trial.Clock(trial.Span{From: found[0].At, To: found[len(found)-1].At}, trial.Span{From: began, To: ended}, "this machine's")
		if !clock || c.State != trial.OK {
			note(c)
		}
	}
	if !complete {
		f := &followed{Executor: e, a: &runs.Attempt{Stage: "probe"}, job: job, handle: h}
		note(failed("job", f.placeError(s, "its worker ended before all was tried")))
	}
}

// trialLimit is how long a job may be in a phase. A place may say running before the program
// is there.
func trialLimit(l executor.Limits, p executor.Phase) time.Duration {
	switch p {
	case executor.PhaseStarting:
		return l.Start
	case executor.PhaseRunning:
		return l.Start + l.Run
	}
	return l.Queue
}

// trialOvertime is the failure of a trial that took too long.
func (e *Executor) trialOvertime(job *executor.Job, s executor.Status) error {
	why := ""
	if s.Reason != "" {
		why = ": " + s.Reason
	}
	limit := trialLimit(job.Limits, s.Phase)
	switch s.Phase {
	case executor.PhaseStarting:
		return stages.Fail(stages.CodeEnvironment, fmt.Sprintf("raise executors.%s.limits.start if the machine is slow to start", e.Name), "it has not begun within %s%s", executor.Span(limit), why)
	case executor.PhaseRunning:
		return stages.Fail(stages.CodeEnvironment, "log in there and see what it waits for", "it did not end within %s%s", executor.Span(limit), why)
	}
	return stages.Fail(stages.CodeEnvironment, cmp.Or(s.Hint, "try again when the queue is shorter, or ask for less"), "no machine was given within %s%s", executor.Span(limit), why)
}
