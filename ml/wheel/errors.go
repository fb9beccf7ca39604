package wheel

import (
	"errors"
	"fmt"
)

// The four ways in which a pinned package can be out of reach. All but
// ErrCorrupt describe the machine (exit code 4); ErrCorrupt is about bytes
// that do not have the pinned digest (exit code 9).
var (
	// ErrNoPip: neither python3 nor python with pip can be run.
	ErrNoPip = errors.New("pip not found")
	// ErrOffline: the package is not in the cache and fetching is switched off.
	ErrOffline = errors.New("offline")
	// ErrDownload: pip ran and failed.
	ErrDownload = errors.New("download failed")
	// ErrCorrupt: the bytes are not the pinned ones, or not a sane wheel.
	ErrCorrupt = errors.New("corrupt package")
)

// Error says which package could not be had, why, and what to do instead.
type Error struct {
	Kind    error  // one of the sentinels above
	Pin     Pin    // the package
	Message string // what happened, in one line
	Hint    string // what the user can do
	Err     error  // the cause, if there is one
}

// Error is the message and the hint on one line each.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s %s: %s", e.Pin.Name, e.Pin.Version, e.Message)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Hint != "" {
		s += "\n  " + e.Hint
	}
	return s
}

// Unwrap lets errors.Is see both the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}
