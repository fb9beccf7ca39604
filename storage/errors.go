package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"gocloud.dev/gcerrors"
	"google.golang.org/api/googleapi"
)

// The classes of a store's errors; test with errors.Is.
var (
	ErrNotFound  = errors.New("not found")
	ErrExists    = errors.New("exists already")
	ErrStale     = errors.New("changed meanwhile")
	ErrDenied    = errors.New("access denied")
	ErrCorrupt   = errors.New("corrupt")
	ErrFull      = errors.New("no space left")
	ErrTransient = errors.New("temporary failure")
	ErrHeld      = errors.New("held by another holder")
)

// Error says which operation on which key failed, its class and its cause.
type Error struct {
	Op    string // "read", "create", ...
	Key   string
	Class error // one of the Err values above
	Err   error // the driver's error; nil if the class says it all
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("store: %s %s: %v", e.Op, e.Key, e.Class)
	}
	return fmt.Sprintf("store: %s %s: %v: %v", e.Op, e.Key, e.Class, e.Err)
}

// Unwrap gives both the class and the cause to errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Class}
	}
	return []error{e.Class, e.Err}
}

// wrap gives a driver's error its class. Context errors pass through: they are
// the caller's own.
func (s *Store) wrap(op, key string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var own *Error
	if errors.As(err, &own) {
		return err
	}
	return &Error{Op: op, Key: key, Class: s.class(err), Err: err}
}

// class sorts a driver's error. An unknown code counts as transient: trying
// again is harmless because every write is exclusive or content-addressed.
func (s *Store) class(err error) error {
	var g *googleapi.Error
	if s.bucket != nil && s.bucket.ErrorAs(err, &g) {
		// gcsblob reports 403 as NotFound, which would turn a missing right
		// into a cache miss.
		if g.Code == 401 || g.Code == 403 {
			return ErrDenied
		}
	}
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return ErrDenied
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return ErrFull
	}
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		return ErrNotFound
	case gcerrors.PermissionDenied:
		return ErrDenied
	case gcerrors.FailedPrecondition, gcerrors.AlreadyExists:
		return ErrExists
	}
	if status := httpStatus(err); status == 401 || status == 403 {
		return ErrDenied
	}
	return ErrTransient
}

// httpStatus finds the status that an SDK's error carries.
func httpStatus(err error) int {
	var coded interface{ HTTPStatusCode() int }
	if errors.As(err, &coded) {
		return coded.HTTPStatusCode()
	}
	return 0
}
