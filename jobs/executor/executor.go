// Package executor is the contract between the runner and whatever carries out an
// attempt: this process, a child of it (local), another machine. An executor gets
// an attempt whose record is stored, reports to a sink while it goes on, and
// returns an outcome. The manifest in the store decides: an attempt whose manifest
// is there is done, and the runner looks for it before another try.
//
//	executor.go    Executor, Sink and Outcome
//	failure.go     what an error means: exit code, next step, whose budget another try costs
//	in_process.go  runs the stage itself; every executor ends here
//	secrets.go     what a stage reports, without the secrets that it asked for
//	protocol.go    what a worker says to its executor, a line of JSON each; both ends
//	provider.go    Provider and Job: how a place elsewhere starts workers
//	head.go        Head: the first bytes of what a place says
//	price.go       what an attempt costs there
//	list.go        Lister: which jobs are at a place
//	limits.go      how long each part of a job may take, in one set of words
//	bootstrap.go   the line of shell with which a worker begins there
//
// A new executor is a folder below, tested by executortest. Package remote is that of all
// places elsewhere; such a place is a Provider in a folder of its own.
package executor

import (
	"context"
	"log/slog"
	"time"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// Executor carries attempts out, here or elsewhere. The attempt's record is in
// the store before either method is called.
type Executor interface {
	// Preflight finds out whether the attempt cannot succeed. Its number is 0.
	Preflight(ctx context.Context, a *runs.Attempt, sink Sink) error
	// Execute runs the attempt to its end. A cancelled ctx asks it to
	// checkpoint and stop; Execute returns when it has, or when its grace time is
	// over. A worker is in a process group of its own, so that a terminal's
	// interrupt reaches the runner alone.
	Execute(ctx context.Context, a *runs.Attempt, sink Sink) Outcome
}

// TimeKeeper is an executor that counts an attempt's timeout itself, since time goes by
// before the attempt begins.
type TimeKeeper interface{ KeepsTime(a *runs.Attempt) bool }

// KeepsTime reports whether the executor does so for this attempt.
func KeepsTime(e Executor, a *runs.Attempt) bool {
	k, ok := e.(TimeKeeper)
	return ok && k.KeepsTime(a)
}

// Sink takes what an attempt reports while it runs.
type Sink interface {
	Progress(stages.Progress)
	Note(name string, value any)
	Log(level slog.Level, message string)
}

// Outcome is how an attempt ended.
type Outcome struct {
	State    runs.State
	Manifest *storage.Manifest
	// Err is the failure of Failed, Lost and Interrupted outcomes.
	Err error
	// Reason replaces the node's reason; empty leaves it.
	Reason string
	// Cause says whose budget another try costs; empty if none is made.
	Cause Cause
	// Held is how long the attempt held a machine of a place that asks for money: from when
	// it was given until it was taken back, without waiting in a queue.
	Held time.Duration
	// Checkpointed says that partial work was kept.
	Checkpointed bool
}

// FromManifest is the outcome that a manifest stands for.
func FromManifest(m *storage.Manifest) Outcome {
	if m.Verdict != nil {
		return Outcome{State: runs.Failed, Manifest: m, Err: &stages.Verdict{Code: stages.Code(m.Verdict.Code), Message: m.Verdict.Message, Hint: m.Verdict.Hint}}
	}
	return Outcome{State: runs.Succeeded, Manifest: m}
}

// FromError sorts an error into the two classes of failure.
func FromError(err error) Outcome {
	o := Outcome{State: runs.Failed, Err: err, Cause: CauseOf(err)}
	if o.Cause != "" && o.Cause != CauseFailure {
		o.State = runs.Lost
	}
	return o
}
