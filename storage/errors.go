package storage

import (
	"errors"

	"github.com/sprint-ml/sprint/storage/bucket"
)

// The classes of a store's errors, which are those of its bucket; test with
// errors.Is.
var (
	ErrNotFound  = bucket.ErrNotFound
	ErrExists    = bucket.ErrExists
	ErrStale     = bucket.ErrStale
	ErrDenied    = bucket.ErrDenied
	ErrCorrupt   = bucket.ErrCorrupt
	ErrFull      = bucket.ErrFull
	ErrInvalid   = bucket.ErrInvalid
	ErrTransient = bucket.ErrTransient
	ErrHeld      = bucket.ErrHeld
	ErrUntrusted = bucket.ErrUntrusted
	ErrNoKey     = bucket.ErrNoKey

	ErrObstructed = bucket.ErrObstructed
)

// Error says which operation on which key failed, its class and its cause.
type Error = bucket.Error

// DamagedOrUntrusted reports whether an error is about one record, which is damaged or
// which no key of the store vouches for: those beside it can be read all the same.
func DamagedOrUntrusted(err error) bool {
	return errors.Is(err, ErrCorrupt) || errors.Is(err, ErrUntrusted)
}

// MissingOrDamaged reports whether there is nothing that can be used where a
// reader looked: no object, or one whose bytes or content are wrong. Making it
// anew, or doing without, is right then; after any other error nobody knows what
// is there.
func MissingOrDamaged(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrCorrupt)
}
