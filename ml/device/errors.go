package device

import (
	"context"
	"fmt"
	"strings"
)

// Error says why a device cannot be opened and what is there instead.
// It describes the machine (exit code 4), except when it wraps
// wheel.ErrCorrupt or ErrCorruptPlugin (9).
type Error struct {
	Device  string   // the name asked for
	Message string   // what is wrong
	Hint    string   // what to do
	There   []Info   // what the machine has; Err of each says if it can be used
	Log     []string // what GoMLX logged while it tried
	Err     error    // the cause, if there is one
}

// Error is the message, the cause, the hint, the devices that are there and the log.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "device %q: %s", e.Device, e.Message)
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, "\n  %s", e.Hint)
	}
	if len(e.There) > 0 {
		b.WriteString("\n  devices here:")
		for _, i := range e.There {
			fmt.Fprintf(&b, "\n    %-4s  %s", i.Name, i.usable())
		}
	}
	for _, line := range e.Log {
		fmt.Fprintf(&b, "\n  log: %s", line)
	}
	return b.String()
}

// Unwrap gives the cause, so that wheel's sentinels can be tested for.
func (e *Error) Unwrap() error { return e.Err }

// failure builds an Error with the list of devices.
func failure(ctx context.Context, name, message, hint string, tail *logTail, err error, o Options) error {
	e := &Error{Device: name, Message: message, Hint: hint, Err: err, There: List(ctx, o)}
	if tail != nil {
		e.Log = tail.lines()
	}
	return e
}

// fallbackReason is the one line that auto keeps when it passes a device over.
func fallbackReason(name string, err error) string {
	text := err.Error()
	if e, ok := err.(*Error); ok { //nolint:errorlint // built a line above by this package, never wrapped
		text = e.Message
		if e.Err != nil {
			text += ": " + e.Err.Error()
		}
	}
	return name + ": " + firstLine(text)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

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
