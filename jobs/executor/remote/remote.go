// Package remote executes attempts at places elsewhere: one adapter over any
// executor.Provider, and the worker that it starts there.
//
//	remote.go   Executor: one attempt from its submit to its end
//	adopt.go    whose work is followed: what a runner that died has left running
//	follow.go   what a job says, and how far it came, until it has ended
//	outcome.go  what its end means; unfit.go, that its program cannot run there
//	worker.go   the process that does the work
//	limits.go   how long each part may take
//	price.go    what an attempt costs, and for how long
//	owner.go    whether anybody waits for a job
//	try.go      a place is tried by a job that runs there
//
// The place says how a job goes on; the store decides what happened. A worker stores
// its messages (runs/<id>/workers), its last word (runs/<id>/ends) and the manifest;
// the runner renews the lease jobs/<id> while it waits, without which the worker ends
// itself, and notes under jobs/<kind>/<key> which attempt does the work of a key. No
// decision compares the clocks of two machines.
package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/config/money"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// Executor executes attempts at one place.
type Executor struct {
	// Name is the config's word for the place.
	Name     string
	Provider executor.Provider
	Store    *storage.Store
	Log      *slog.Logger
	// Program gives the binary for the place, as the store holds it.
	Program func(ctx context.Context) (executor.Program, error)
	// Resources are what an attempt demands; nil demands nothing.
	Resources func(a *runs.Attempt) executor.Resources
	// WorkerFlags are those of a worker beside the ones that name its attempt.
	WorkerFlags []string
	// Env are variables of the worker. Secrets are the names of those whose values the
	// place has by its own means.
	Env     map[string]string
	Secrets []string
	Limits  executor.Limits // Run is the attempt's own
	// TTL of the leases of jobs; 0 means runs.LeaseTTL.
	TTL time.Duration
	// Poll is how often the store is asked at first; 0 means 200 ms.
	Poll time.Duration
	// RetryBudget is how long a store or a place that does not answer is waited for; 0
	// means 10 minutes.
	RetryBudget time.Duration
	// Abort, once closed, ends jobs without waiting for their checkpoints; nil never does.
	Abort <-chan struct{}

	// PerHour and PerGPUHour are what a machine and each demanded GPU cost, PerSpotHour
	// what a machine costs that may be taken away; if none is known, a provider that knows
	// its prices is asked.
	PerHour, PerGPUHour, PerSpotHour money.Price

	probing sync.Mutex
	probed  map[executor.Resources]error
}

// Preflight tries the place, once for each set of demands. What needs the worker there
// is found out by the job itself: a probe of that kind would wait in the place's queue.
func (e *Executor) Preflight(ctx context.Context, a *runs.Attempt, sink executor.Sink) error {
	prober, ok := e.Provider.(executor.Prober)
	if !ok {
		return nil
	}
	job, err := e.Job(ctx, a)
	if err != nil {
		return err
	}
	e.probing.Lock()
	defer e.probing.Unlock()
	if err, known := e.probed[job.Resources]; known {
		return err
	}
	err = prober.Probe(ctx, job, func(name, value string) { sink.Log(slog.LevelInfo, fmt.Sprintf("%s: %s: %s", e.Name, name, value)) })
	if executor.CauseOf(err) == "" && ctx.Err() == nil {
		if e.probed == nil {
			e.probed = map[executor.Resources]error{}
		}
		e.probed[job.Resources] = err
	}
	return err
}

// Probe asks the place itself whether a job with these demands could start there, and tells
// note what it finds. A place that cannot be asked says nothing.
func (e *Executor) Probe(ctx context.Context, demands executor.Resources, note func(name, value string)) error {
	prober, ok := e.Provider.(executor.Prober)
	if !ok {
		return nil
	}
	job, err := e.Job(ctx, &runs.Attempt{Run: "probe", Stage: "probe"})
	if err != nil {
		return err
	}
	job.Resources = demands
	return prober.Probe(ctx, job, note)
}

// KeepsTime says that an attempt's timeout is kept by this executor, which counts it
// from the worker's first word.
func (e *Executor) KeepsTime(*runs.Attempt) bool { return true }

// Job is the job of an attempt here.
func (e *Executor) Job(ctx context.Context, a *runs.Attempt) (*executor.Job, error) {
	digest, err := a.Digest()
	if err != nil {
		return nil, err
	}
	program, err := e.Program(ctx)
	if err != nil {
		return nil, err
	}
	job := &executor.Job{
		ID: executor.JobID(a.Run, a.Stage, a.Number, digest), Run: a.Run, Stage: a.Stage, Attempt: a.Number,
		Argv:    slices.Concat([]string{"worker", "--elsewhere", "--store", e.Store.Source(), "--run", a.Run, "--stage", a.Stage, "--attempt", strconv.Itoa(a.Number), "--digest", digest}, e.WorkerFlags),
		Env:     maps.Clone(e.Env),
		Secrets: e.Secrets, Program: program, Limits: e.limits(a),
	}
	job.Resources = e.resources(a)
	return job, nil
}

// resources are what an attempt demands.
func (e *Executor) resources(a *runs.Attempt) (r executor.Resources) {
	if e.Resources != nil {
		r = e.Resources(a)
	}
	r.Device = cmp.Or(r.Device, a.Device)
	return r
}

// Execute follows the job that a runner before this one has left at work on the same
// key, if there is one, else starts its own.
func (e *Executor) Execute(ctx context.Context, a *runs.Attempt, sink executor.Sink) executor.Outcome {
	left, since, err := e.unfinished(ctx, a)
	if err != nil {
		return executor.FromError(err)
	}
	if left != nil {
		sink.Log(stages.LevelNotable, fmt.Sprintf("%s: following try %d of run %s, which a runner left at work there", e.Name, left.Number, left.Run))
		o := e.carry(ctx, left, sink, a.Spend, since)
		if o.State == runs.Succeeded || o.Manifest != nil || ctx.Err() != nil {
			return o
		}
		sink.Log(slog.LevelInfo, fmt.Sprintf("%s: that try has ended (%v); starting another", e.Name, o.Err))
		own := e.carry(ctx, a, sink, max(a.Spend-o.Held, min(a.Spend, 1)), time.Time{})
		own.Held += o.Held
		return own
	}
	return e.carry(ctx, a, sink, a.Spend, time.Time{})
}

// carry brings one attempt from its submit to its end. It may hold a machine for as long
// as spend, if that is not 0; it has held one since that time, if that is not zero.
func (e *Executor) carry(ctx context.Context, a *runs.Attempt, sink executor.Sink, spend time.Duration, since time.Time) executor.Outcome {
	job, err := e.Job(ctx, a)
	if err != nil {
		return executor.FromError(err)
	}
	lasting := context.WithoutCancel(ctx)
	note := runs.Job{Run: a.Run, Stage: a.Stage, Attempt: a.Number, Digest: job.Argv[slices.Index(job.Argv, "--digest")+1], Executor: e.Name, Since: since}
	if err := runs.SaveJob(ctx, e.Store, a.Kind, a.Key, note); err != nil {
		return executor.FromError(err)
	}
	lease, err := e.acquire(ctx, job.ID)
	if err != nil {
		return executor.FromError(err)
	}
	handle, err := e.submit(ctx, job, sink)
	if err == nil {
		f := &followed{Executor: e, a: a, job: job, handle: handle, sink: sink, clock: newStopwatch(job.Limits, e.Name), spend: spend, note: &note, before: since}
		o := f.follow(ctx)
		e.over(lasting, a, note, lease)
		return o
	}
	if ctx.Err() != nil {
		// The place may have begun after all: it ends by the lease, or is found next time.
		e.Log.Warn("a submit was interrupted", "job", job.ID, "executor", e.Name, "error", err)
	}
	e.over(lasting, a, note, lease)
	return executor.FromError(err)
}

// over records that a job is over, and lets its lease go.
func (e *Executor) over(ctx context.Context, a *runs.Attempt, note runs.Job, lease *lease) {
	note.Over = true
	if err := runs.SaveJob(ctx, e.Store, a.Kind, a.Key, note); err != nil {
		e.Log.Warn("could not record that a job is over", "run", a.Run, "stage", a.Stage, "error", err)
	}
	lease.release(ctx)
}

// submit starts the job, or finds it. What may go away by itself is waited for.
func (e *Executor) submit(ctx context.Context, job *executor.Job, sink executor.Sink) (executor.Handle, error) {
	began := time.Now()
	for wait := 500 * time.Millisecond; ; wait = min(2*wait, 30*time.Second) {
		handle, err := e.Provider.Submit(ctx, job)
		var failure *stages.Failure
		if err == nil || ctx.Err() != nil || !errors.As(err, &failure) || !failure.Lost || time.Since(began)+wait > e.retryBudget() {
			return handle, err
		}
		sink.Log(slog.LevelWarn, fmt.Sprintf("%s: not submitted yet, trying again in %s: %v", e.Name, wait, err))
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

func (e *Executor) retryBudget() time.Duration { return cmp.Or(e.RetryBudget, 10*time.Minute) }
