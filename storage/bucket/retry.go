package bucket

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// try runs call, which does op on a key of the store's own, if the bucket may do
// that, and again if it fails transiently. It gives the error a class.
func (b *Bucket) try(ctx context.Context, op, key string, call func() error) error {
	if err := checkKey(op, key); err != nil {
		return err
	}
	if err := b.admit(ctx, op, key); err != nil {
		return err
	}
	return b.retry(ctx, op, key, call)
}

// checkKey refuses keys outside of a store's alphabet.
func checkKey(op, key string) error {
	if ValidKey(key) {
		return nil
	}
	return &Error{Op: op, Key: key, Class: ErrInvalid, Err: errors.New("keys are [a-z0-9._/-], at most 512 bytes, and no segment is empty or begins with a dot")}
}

// retry is try for a key that others may have made, or for a prefix. It is the
// only place that tries again, but for the clients' own repetition of a request.
func (b *Bucket) retry(ctx context.Context, op, key string, call func() error) error {
	wait := b.o.Backoff
	for n := 1; ; n++ {
		// A cancelled caller must not change anything any more.
		if err := ctx.Err(); err != nil {
			return err
		}
		err := b.o.Around(ctx, op, key, call)
		if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			// A time limit inside the client is the bucket's failure, not the
			// caller's decision.
			err = &Error{Op: op, Key: key, Class: ErrTransient, Err: errors.New(err.Error())}
		}
		err = wrap(op, key, err)
		if !errors.Is(err, ErrTransient) || n >= b.o.Tries {
			return err
		}
		b.o.Log.Debug("store: trying again", "op", op, "key", key, "try", n, "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait/2 + rand.N(wait)):
		}
		wait = min(2*wait, 10*time.Second)
	}
}
