package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// ExitError is an end with a code, of a command that has said why.
type ExitError struct{ Code stages.Code }

// Exit ends a command with a code after its message was printed.
func Exit(code stages.Code) error { return &ExitError{code} }

func (e *ExitError) Error() string { return e.Code.Class() }

// Interrupted gives a command that a signal ended its exit code.
func Interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", stages.ErrInterrupted, context.Cause(ctx))
	}
	return err
}

func NoRun(id string, err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return &config.UsageError{Message: "the store has no run " + id, Hint: "`sprint runs` lists its runs"}
	}
	if errors.Is(err, storage.ErrDenied) || errors.Is(err, storage.ErrCorrupt) || errors.Is(err, storage.ErrTransient) {
		return err
	}
	return &config.UsageError{Message: fmt.Sprintf("cannot read run %s: %v", id, err), Hint: "`sprint runs` lists the runs of the store"}
}

// Gone says what to do about bytes that are not there.
func Gone(ref string, err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return &config.UsageError{Message: fmt.Sprintf("the bytes of %s are not in the store any more", ref), Hint: "gc evicts what no run needs; running the plan makes it again"}
	}
	return err
}

func CannotWrite(err error) error {
	return stages.Fail(stages.CodeEnvironment, "name a folder that can be written", "cannot write the files: %w", err)
}
