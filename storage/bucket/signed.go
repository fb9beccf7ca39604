package bucket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/storage/record"
)

// markKey is the record that says that the records of a bucket are signed. It is
// there before any other object, so that nobody without a key writes beside it
// unknowingly. Whoever deletes it gains nothing: what is unsigned is not believed.
const markKey = "signed"

// Keys are those of the bucket's options; nil if it has none.
func (b *Bucket) Keys() *record.Keyring { return b.o.Keys }

// WithKeys returns the bucket as one with other keys sees it. It is closed with
// this one.
func (b *Bucket) WithKeys(k *record.Keyring) *Bucket {
	o := b.o
	o.Keys = k
	view := b.with(o)
	if b.o.Keys != nil {
		view.unchecked.Do(func() {}) // its caller knows
	}
	return view
}

// changes lists the operations that change what is stored.
var changes = []string{"create", "swap", "write", "put", "copy", "sweep"}

// admit refuses to change a bucket whose records are signed by keys that this one
// has not, or, if it has any, one whose records are not. It asks once.
func (b *Bucket) admit(ctx context.Context, op, key string) error {
	if key == markKey || !slices.Contains(changes, op) {
		return nil
	}
	var known bool
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case known = <-b.admitted:
	}
	var err error
	if !known {
		err = b.checkMark(ctx, op, key)
	}
	b.admitted <- known || err == nil
	return err
}

// checkMark is admit of a bucket that does not know.
func (b *Bucket) checkMark(ctx context.Context, op, key string) error {
	for range 2 {
		_, _, err := b.Read(ctx, markKey)
		switch {
		case err == nil && b.o.Keys != nil:
			return nil
		case err == nil, b.o.Keys == nil && errors.Is(err, ErrCorrupt):
			return &Error{Op: op, Key: key, Class: ErrDenied, Err: ErrNoKey}
		case !errors.Is(err, ErrNotFound):
			return err
		case b.o.Keys == nil:
			return nil
		}
		empty, err := b.empty(ctx)
		if err != nil {
			return err
		}
		if empty {
			err = b.Create(ctx, markKey, nil)
		}
		if empty && !errors.Is(err, ErrExists) {
			return err
		}
		// Another may have begun to sign meanwhile: look once more.
	}
	return &Error{Op: op, Key: key, Class: ErrUntrusted, Err: fmt.Errorf("the store has objects, and no record %q that says that they are signed", markKey)}
}

// empty reports whether the bucket holds nothing but what probes left.
func (b *Bucket) empty(ctx context.Context) (bool, error) {
	for info, err := range b.List(ctx, "") {
		if err != nil || !strings.HasPrefix(info.Key, "probe/") {
			return false, err
		}
	}
	return true, nil
}

// BeginSigning says that the bucket's records are signed by the signing key from
// now on: who has none of its keys does not write any more.
func (b *Bucket) BeginSigning(ctx context.Context) error {
	for {
		_, version, err := b.WithKeys(nil).Read(ctx, markKey)
		if err != nil && !errors.Is(err, ErrNotFound) && !(errors.Is(err, ErrCorrupt) && version != "") {
			return err
		}
		if _, err = b.Swap(ctx, markKey, version, nil); !errors.Is(err, ErrStale) {
			return err
		}
	}
}

// Standing says what the bucket's keys make of the signature of a record, or of a
// document. If sign approves of that, the object is signed anew with the signing
// key; the error is ErrStale if it changed meanwhile.
func (b *Bucket) Standing(ctx context.Context, key string, document bool, sign func(record.Standing) bool) (record.Standing, error) {
	data, version, err := b.readAll(ctx, key, recordLimit)
	if err != nil {
		return 0, err
	}
	decode := record.Decode
	if document {
		decode = record.DecodeDocument
	}
	o, err := decode(key, data)
	if err != nil {
		return 0, &Error{Op: "read", Key: key, Class: ErrCorrupt, Err: err}
	}
	standing := b.o.Keys.Standing(o)
	if sign(standing) {
		_, err = b.swap(ctx, key, version, b.o.Keys.Sign(o))
	}
	return standing, err
}
