package storage

import (
	"context"
	"errors"
	"time"
)

// awaitPause is how many looks there are at a lease in its ttl; leastPause bounds the time
// between two of them from below.
const (
	awaitPause = 40
	leastPause = 10 * time.Millisecond
)

// Await takes the lease of a name as Acquire does, and waits while another holds it. A holder
// that did not renew it for a whole ttl of this process's clock is taken to be gone. At each
// look that finds a holder, goOn is asked whether to wait on; renewed says that the lease was
// renewed or taken anew since the first one. Its error ends the wait, as the end of ctx does,
// whose cause is returned. A nil goOn waits on.
func (s *Store) Await(ctx context.Context, name string, h Holder, ttl time.Duration, goOn func(held *HeldError, renewed bool) error) (*Lease, error) {
	first, seen, stale := "", "", ""
	var since time.Time
	for {
		l, err := s.Acquire(ctx, name, h, ttl, stale)
		var held *HeldError
		switch {
		case err == nil:
			return l, nil
		case ctx.Err() != nil: // a request that was under way says less
			return nil, context.Cause(ctx)
		case !errors.As(err, &held):
			return nil, err
		}
		if held.Version != seen {
			seen, since = held.Version, time.Now()
		}
		if first == "" {
			first = seen
		}
		if goOn != nil {
			if err := goOn(held, seen != first); err != nil {
				return nil, err
			}
		}
		if time.Since(since) > ttl && stale != seen {
			stale = seen
			continue
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(max(ttl/awaitPause, leastPause)):
		}
	}
}
