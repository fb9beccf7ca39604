package stages

import (
	"errors"
	"fmt"
	"strings"
)

// ErrInterrupted says that a stage stopped on request after saving a
// checkpoint: the same command continues it.
var ErrInterrupted = errors.New("interrupted, the same command continues")

// ErrMoney says that the max_cost of a run is spent. Its exit code is CodeDeadline.
var ErrMoney = errors.New("the money of the run is up")

// Failure is an error with the exit code it deserves. The class is decided
// where the error is born: Lost failures (network, a machine gone) may be
// retried, all others are permanent.
type Failure struct {
	Code Code
	Lost bool
	// Hint is the next step for the user, a full sentence or a command.
	Hint string
	// Option is the dotted path of the option that is wrong, inside `with`; empty if it
	// is none, or unknown.
	Option string
	Err    error
}

func (f *Failure) Error() string { return f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }

// Fail returns a permanent Failure. format is used as in fmt.Errorf, so %w keeps the cause.
func Fail(code Code, hint, format string, args ...any) *Failure {
	return &Failure{Code: code, Hint: hint, Err: fmt.Errorf(format, args...)}
}

// At gives an error that is a Failure of CodePlan the option that it is about, unless it
// names one.
func At(option string, err error) error {
	f, ok := errors.AsType[*Failure](err)
	if !ok || f.Code != CodePlan || f.Option != "" {
		return err
	}
	told := *f
	told.Option, told.Err = option, err
	return &told
}

// ErrNoTaxonomy says that a plan without a taxonomy has a stage that reads it.
var ErrNoTaxonomy = errors.New("the plan names no taxonomy")

// Lose returns a Failure that another try may heal.
func Lose(code Code, hint, format string, args ...any) *Failure {
	return &Failure{Code: code, Lost: true, Hint: hint, Err: fmt.Errorf(format, args...)}
}

// IsLost reports whether an error is a Failure that another try may heal.
func IsLost(err error) bool {
	f, ok := errors.AsType[*Failure](err)
	return ok && f.Lost
}

// Verdict is returned by a stage that finished its work and judged it bad:
// outputs are committed with the verdict, the state is failed, and a re-run
// finds the verdict without measuring again.
type Verdict struct {
	Code    Code
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
