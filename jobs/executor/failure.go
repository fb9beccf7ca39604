package executor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// Code returns the exit code that an error deserves.
func Code(err error) stages.Code {
	var verdict *stages.Verdict
	var failure *stages.Failure
	var plan diagnostic.Errors
	var planOne *diagnostic.Error
	var usage *diagnostic.UsageError
	var held *storage.HeldError
	var source stages.SourceProblems
	switch {
	case err == nil:
		return stages.CodeDone
	case errors.As(err, &verdict):
		return verdict.Code
	case errors.Is(err, storage.ErrCorrupt), errors.Is(err, storage.ErrObstructed), errors.Is(err, storage.ErrUntrusted):
		return stages.CodeIntegrity
	case errors.As(err, &failure):
		return failure.Code
	case errors.As(err, &plan), errors.As(err, &planOne), errors.As(err, &source):
		return stages.CodePlan
	case errors.As(err, &usage):
		return stages.CodeUsage
	case errors.As(err, &held):
		return stages.CodeLease
	case errors.Is(err, ErrDeadline), errors.Is(err, stages.ErrMoney):
		return stages.CodeDeadline
	case errors.Is(err, ErrAborted):
		return stages.CodeAborted
	case errors.Is(err, stages.ErrInterrupted), errors.Is(err, context.Canceled):
		return stages.CodeInterrupted
	case errors.Is(err, storage.ErrDenied), errors.Is(err, storage.ErrFull), errors.Is(err, storage.ErrTransient), errors.Is(err, storage.ErrInvalid):
		return stages.CodeEnvironment
	case diskFull(err):
		return stages.CodeEnvironment
	}
	return stages.CodeStage
}

// diskFull reports whether a local disk has no space left: that of the store has
// its own class, and there remains that of the scratch folder.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// ErrAborted ends attempts that were asked twice to end.
var ErrAborted = errors.New("ended without waiting for a checkpoint")

// ErrDeadline is the cause of a context that ends at the run's deadline.
var ErrDeadline = errors.New("the deadline is over")

// Retryable reports whether the same command may do better later without any
// change.
func Retryable(code stages.Code, state runs.State) bool {
	return code == stages.CodeInterrupted || code == stages.CodeAborted || code == stages.CodeDeadline || code == stages.CodeLease || state == runs.Lost
}

// Hint finds the next step that an error carries; empty if it has none.
func Hint(err error) string {
	var failure *stages.Failure
	var verdict *stages.Verdict
	var stored *storage.Error
	switch {
	case errors.Is(err, storage.ErrUntrusted):
		return "`sprint store rekey` shows what no key of yours signed, and signs what you trust; what nobody of yours wrote, look at and delete"
	case errors.Is(err, storage.ErrNoKey):
		return "let store_key name the store's key, env:NAME or file:PATH, in your own config or SPRINT_STORE_KEY"
	case errors.As(err, &failure):
		return failure.Hint
	case errors.As(err, &verdict):
		return verdict.Hint
	case errors.Is(err, storage.ErrCorrupt) && errors.As(err, &stored):
		return Mend(stored.Key)
	case errors.Is(err, storage.ErrObstructed):
		return "move it out of the folder of the store, or remove it, then run the same command"
	case errors.Is(err, storage.ErrHeld):
		return "leave out --no-wait to wait for the other run and take its result"
	case errors.Is(err, storage.ErrFull):
		return "free space in the store, then run the same command"
	case diskFull(err):
		return roomFor(err)
	case errors.Is(err, storage.ErrDenied):
		return "check the credentials and rights of the store; `sprint doctor --store URL` tries them"
	case errors.Is(err, storage.ErrTransient):
		return "check that the store can be reached; `sprint doctor --store URL` tries it"
	case errors.Is(err, storage.ErrInvalid):
		return "check the store's URL, and that its bucket or folder is there; `sprint doctor --store URL` tries it"
	}
	return ""
}

// roomFor is the next step where a disk that is no store's is full.
func roomFor(err error) string {
	at, ok := errors.AsType[*fs.PathError](err)
	if !ok || strings.HasPrefix(at.Path, os.TempDir()) {
		return "free space on that disk, or let TMPDIR name a folder on another, then run the same command"
	}
	return "free space on that disk, then run the same command"
}

// Mend says what makes a damaged object anew, or what is lost without it.
func Mend(key string) string {
	switch {
	case strings.HasPrefix(key, "blobs/"), strings.HasPrefix(key, "sha256:"), strings.HasPrefix(key, "manifests/"):
		return "the next run of its plan makes it again"
	case strings.HasPrefix(key, "checkpoints/"):
		return "a training continues from the checkpoint before it"
	case strings.HasPrefix(key, "models/") && strings.Contains(key, "/aliases/"):
		return "`sprint promote NAME@VERSION --alias ALIAS` sets the alias anew"
	case strings.HasPrefix(key, "models/") && strings.Contains(key, "/history/"):
		return "nothing needs it: who moved that alias then, and why, is lost"
	case strings.HasPrefix(key, "models/") && strings.Contains(key, "/mirrors/"):
		return "`sprint models mirror PLAN` asks the mirror again and writes it anew"
	case strings.HasPrefix(key, "models/"):
		return "`sprint run PLAN --force=publish` of the plan that published it makes it anew under the same version"
	case strings.HasPrefix(key, "runs/"):
		return "what that run made is not touched; `sprint run` of its plan makes a new record"
	case strings.HasPrefix(key, "leases/"), strings.HasPrefix(key, "answers/"), strings.HasPrefix(key, "embeddings/"):
		return "the next run replaces it"
	case key == "signed":
		return "`sprint store rekey --yes` writes it anew"
	case strings.HasPrefix(key, "pins/"):
		return "gc keeps that run; `sprint runs pin RUN` or `unpin` sets it anew"
	}
	return ""
}

// Cause is what ended an attempt, as far as trying again is concerned: each has
// its own budget, config.Retry.
type Cause string

// The causes. An attempt without one is not tried again.
const (
	CauseNetwork Cause = "network" // a source or registry did not answer
	CauseStore   Cause = "store"   // the store did not answer
	CauseMachine Cause = "machine" // the process that did the work is gone
	CauseFailure Cause = "failure" // the stage failed by itself
	// CauseInterruption is a machine that its place took away, for a job of more worth or
	// because it was let on that condition.
	CauseInterruption Cause = "interruption"
)

// CauseOf sorts an error. A verdict, a mistake of the plan, missing rights and
// broken bytes end the same way however often they are tried.
func CauseOf(err error) Cause {
	var failure *stages.Failure
	var verdict *stages.Verdict
	switch {
	case err == nil, errors.As(err, &verdict):
		return ""
	case errors.Is(err, storage.ErrTransient):
		return CauseStore
	case errors.As(err, &failure) && failure.Lost && failure.Code == stages.CodeEnvironment:
		return CauseNetwork
	case errors.As(err, &failure) && failure.Lost:
		return CauseMachine
	}
	if code := Code(err); code == stages.CodeStage || code == stages.CodeMemory {
		return CauseFailure
	}
	return ""
}
