// Package local is the executor of this machine. Kinds that ask for isolation run
// in a child process, `sprint worker`: its crash is an outcome and not the end of
// the runner. The others run in the runner's process.
package local

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/scratch"
	"github.com/sprint-ml/sprint/storage"
)

// Executor executes attempts on this machine: kinds that ask for isolation in a
// child process, the others in this one.
type Executor struct {
	inProcess executor.InProcess
	// Program is the path of the sprint binary; empty runs everything in this
	// process.
	Program string
	// Environ is the child's environment.
	Environ []string
	// WorkerFlags are those of a child beside the ones that name its attempt: where
	// it finds the store's keys.
	WorkerFlags []string
	// Grace is how long a child may take to checkpoint; 0 means executor.DefaultGrace.
	Grace time.Duration
	// Abort, once closed, ends attempts whose context has ended without
	// waiting for their checkpoints; nil never does.
	Abort <-chan struct{}

	sweep sync.Once
}

// New makes the local executor.
func New(registry stages.Registry, store *storage.Store, program string, environ []string, secret func(string) (string, error)) *Executor {
	return &Executor{inProcess: executor.InProcess{Registry: registry, Store: store, Secret: secret, Program: program}, Program: program, Environ: environ}
}

// isolated reports whether an attempt goes to a child. A store that only this
// process sees cannot be handed over.
func (e *Executor) isolated(a *runs.Attempt) bool {
	kind, ok := e.inProcess.Registry.Kind(a.Kind)
	if !ok || kind.Isolated == nil || e.Program == "" || e.inProcess.Store.Local() {
		return false
	}
	options := kind.Options()
	return json.Unmarshal(a.Options, options) == nil && kind.Isolated(options)
}

// Preflight tries the attempt's demands where it will run; without any, no process is
// started for it.
func (e *Executor) Preflight(ctx context.Context, a *runs.Attempt, sink executor.Sink) error {
	if e.isolated(a) && e.inProcess.HasPreflight(a, sink) {
		return e.child(ctx, a, sink, "--preflight").Err
	}
	return e.inProcess.Preflight(ctx, a, sink)
}

// Execute runs the attempt.
func (e *Executor) Execute(ctx context.Context, a *runs.Attempt, sink executor.Sink) executor.Outcome {
	e.sweep.Do(scratch.Sweep)
	if e.isolated(a) {
		return e.child(ctx, a, sink)
	}
	done := make(chan executor.Outcome, 1)
	go func() { done <- e.inProcess.Execute(ctx, a, sink) }()
	select {
	case o := <-done:
		return o
	case <-e.Abort:
	}
	<-ctx.Done()
	return executor.Outcome{State: runs.Interrupted, Err: executor.ErrAborted}
}
