package catalog

import (
	"errors"
	"fmt"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/storage"
)

// NoRun says that a store has no such run, or why it cannot be read.
func NoRun(id string, err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return &diagnostic.UsageError{Message: "the store has no run " + id, Hint: "`sprint runs` lists its runs"}
	}
	if errors.Is(err, storage.ErrDenied) || errors.Is(err, storage.ErrCorrupt) || errors.Is(err, storage.ErrTransient) {
		return err
	}
	return &diagnostic.UsageError{Message: fmt.Sprintf("cannot read run %s: %v", id, err), Hint: "`sprint runs` lists the runs of the store"}
}

// Gone says what to do about bytes that are not there.
func Gone(ref string, err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return &diagnostic.UsageError{Message: fmt.Sprintf("the bytes of %s are not in the store any more", ref), Hint: "gc evicts what no run needs; running the plan makes it again"}
	}
	return err
}
