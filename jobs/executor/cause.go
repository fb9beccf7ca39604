package executor

import (
	"errors"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// Cause is what ended an attempt, as far as trying again is concerned: each has
// its own budget, config.Retry.
type Cause string

// The causes. An attempt without one is not tried again.
const (
	CauseNetwork Cause = "network" // a source or registry did not answer
	CauseStore   Cause = "store"   // the store did not answer
	CauseMachine Cause = "machine" // the process that did the work is gone
	CauseFailure Cause = "failure" // the stage failed by itself
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
