package app

import (
	"context"
	"fmt"

	"github.com/sprint-ml/sprint/stages"
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
