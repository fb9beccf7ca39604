package stages

import (
	"errors"
	"fmt"
	"strings"
)

// Exit codes that a failure may demand; the whole table is in design and in
// `sprint --help`.
const (
	CodeStage       = 1   // the work is wrong
	CodePlan        = 3   // plan, taxonomy, --set, or a file they name
	CodeEnvironment = 4   // device, plugin, credentials, store, network, disk
	CodeGate        = 5   // a check of verify failed
	CodeLease       = 7   // held by a live run
	CodeMemory      = 8   // out of memory after fall-backs
	CodeIntegrity   = 9   // bytes that fail their digest or format
	CodePublish     = 10  // publish refused
	CodeSource      = 11  // a source gave fewer rows than demanded
	CodeInterrupted = 75  // stopped, resumable
	CodeDeadline    = 124 // deadline, nothing resumable
	CodeAborted     = 130 // interrupted twice: not waited for
)

// ErrInterrupted says that a stage stopped on request after saving a
// checkpoint: the same command continues it.
var ErrInterrupted = errors.New("interrupted, the same command continues")

// Failure is an error with the exit code it deserves. The class is decided
// where the error is born: Lost failures (network, a machine gone) may be
// retried, all others are permanent.
type Failure struct {
	Code int
	Lost bool
	// Hint is the next step for the user, a full sentence or a command.
	Hint string
	Err  error
}

func (f *Failure) Error() string { return f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }

// Fail returns a permanent Failure. format is used as in fmt.Errorf, so %w keeps the cause.
func Fail(code int, hint, format string, args ...any) *Failure {
	return &Failure{Code: code, Hint: hint, Err: fmt.Errorf(format, args...)}
}

// Lose returns a Failure that another try may heal.
func Lose(code int, hint, format string, args ...any) *Failure {
	return &Failure{Code: code, Lost: true, Hint: hint, Err: fmt.Errorf(format, args...)}
}

// Verdict is returned by a stage that finished its work and judged it bad:
// outputs are committed with the verdict, the state is failed, and a re-run
// finds the verdict without measuring again.
type Verdict struct {
	Code    int
	Message string
	Hint    string
}

func (v *Verdict) Error() string { return v.Message }

// SourceProblem is a mistake in a text that a plan names, the taxonomy for one.
// Line and Col count from 1.
type SourceProblem struct {
	File      string
	Line, Col int
	Message   string
	Hint      string
}

// SourceProblems are all mistakes of a text; Resolve returns them as its error
// and they are printed like mistakes of the plan itself.
type SourceProblems []SourceProblem

func (p SourceProblems) Error() string {
	texts := make([]string, len(p))
	for i, x := range p {
		texts[i] = fmt.Sprintf("%s:%d:%d: %s", x.File, x.Line, x.Col, x.Message)
	}
	return strings.Join(texts, "\n")
}
