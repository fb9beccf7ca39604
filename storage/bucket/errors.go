package bucket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/aws/smithy-go"
	"github.com/sprint-ml/sprint/storage/gcsblob"
	"github.com/sprint-ml/sprint/storage/localblob"
	"github.com/sprint-ml/sprint/storage/record"
	"github.com/sprint-ml/sprint/storage/transport"
	"gocloud.dev/gcerrors"
)

// The classes of a store's errors; test with errors.Is.
var (
	ErrNotFound  = errors.New("not found")
	ErrExists    = errors.New("exists already")
	ErrStale     = errors.New("changed meanwhile")
	ErrDenied    = errors.New("access denied")
	ErrCorrupt   = errors.New("corrupt")
	ErrFull      = errors.New("no space left")
	ErrInvalid   = errors.New("not valid")
	ErrTransient = errors.New("temporary failure")
	ErrHeld      = errors.New("held by another holder")
	// ErrObstructed: in a local folder something else lies where a folder of the
	// store must be, or where an object must be and cannot be moved away.
	ErrObstructed = errors.New("obstructed")
	// ErrUntrusted is that of a record that is whole and that no key of the bucket
	// vouches for. Nothing replaces it by itself: it may be what an attack left, or
	// what was written before there was a key.
	ErrUntrusted = record.ErrUntrusted
)

// ErrNoKey is wrapped by the ErrDenied of a bucket without keys that was to write
// where records are signed.
var ErrNoKey = errors.New("the store's records are signed, and this runner has no key to sign with")

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
func wrap(op, key string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if _, own := errors.AsType[*Error](err); own {
		return err
	}
	e := &Error{Op: op, Key: key, Class: class(err)}
	switch kind := (*localblob.KindError)(nil); {
	case !errors.Is(e.Class, ErrNotFound):
		e.Err = transport.Message(err)
	case errors.As(err, &kind): // else a driver only says the same once more
		e.Err = kind
	}
	return e
}

// class sorts a driver's error. An unknown code counts as transient: trying
// again is harmless because every write is exclusive or content-addressed.
func class(err error) error {
	// Statuses come first: they tell a missing right from a missing object.
	switch httpStatus(err) {
	case 401, 403:
		return ErrDenied
	case 404:
		return missing(err)
	case 412:
		return ErrExists
	}
	var obstacle *localblob.ObstacleError
	switch {
	case errors.As(err, &obstacle):
		return ErrObstructed
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), transport.Unauthenticated(err):
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
	case gcerrors.InvalidArgument, gcerrors.Unimplemented:
		return ErrInvalid
	}
	return ErrTransient
}

// missing sorts what is not there. Only an object counts as not found: that is
// what a cache miss rests on.
func missing(err error) error {
	if s3, ok := errors.AsType[smithy.APIError](err); ok {
		switch s3.ErrorCode() {
		case "NoSuchKey", "NotFound": // the latter has no body: the reply to HEAD
			return ErrNotFound
		case "NoSuchBucket":
			return ErrInvalid
		case "XAdminUserNotFound": // versitygw's word for an unknown access key
			return ErrDenied
		}
		return ErrTransient
	}
	if g, ok := errors.AsType[*gcsblob.Error](err); ok && strings.Contains(g.Message, "bucket does not exist") {
		return ErrInvalid
	}
	return ErrNotFound
}

// httpStatus finds the status that an SDK's error carries; 0 if none does.
func httpStatus(err error) int {
	var coded interface{ HTTPStatusCode() int }
	if errors.As(err, &coded) {
		return coded.HTTPStatusCode()
	}
	return 0
}
