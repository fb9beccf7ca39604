package device

import (
	"fmt"
	"strings"
)

// Guard runs f, which works with a device, and returns its failure as an error
// "what: cause"; with an empty what the cause stands alone. GoMLX panics for ordinary
// mistakes and for failures of a device: those panics become errors too, and an error
// that was panicked with stays the cause. A failure for want of memory is an
// *OutOfMemoryError. What f had on the device when it failed is lost.
func Guard(what string, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			cause, ok := r.(error)
			if !ok {
				cause = fmt.Errorf("%v", r)
			}
			err = cause
		}
		switch {
		case err == nil:
		case outOfMemory(err):
			err = &OutOfMemoryError{What: what, Err: err}
		case what != "":
			err = fmt.Errorf("%s: %w", what, err)
		}
	}()
	return f()
}

// OutOfMemoryError says that the memory of a device did not suffice (exit code 8, once
// there is no smaller way left).
type OutOfMemoryError struct {
	What string // that was done
	Err  error  // in PJRT's words
}

// Error is what was done and the cause.
func (e *OutOfMemoryError) Error() string {
	if e.What == "" {
		return fmt.Sprintf("out of memory: %v", e.Err)
	}
	return fmt.Sprintf("%s: out of memory: %v", e.What, e.Err)
}

// Unwrap gives the cause.
func (e *OutOfMemoryError) Unwrap() error { return e.Err }

// outOfMemory reports whether an error is one for want of memory, which PJRT tells in
// words alone (absl's status code, or the allocator's message).
func outOfMemory(err error) bool {
	text := err.Error()
	return strings.Contains(text, "RESOURCE_EXHAUSTED") || strings.Contains(strings.ToLower(text), "out of memory")
}
