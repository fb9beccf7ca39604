package catalog

import (
	"context"
	"time"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// HeldLeases lists the leases that are not released.
func HeldLeases(ctx context.Context, store *storage.Store) ([]storage.LeaseState, error) {
	var out []storage.LeaseState
	for l, err := range store.Leases(ctx, "") {
		if err != nil {
			return nil, err
		}
		if !l.Released {
			out = append(out, l)
		}
	}
	return out, nil
}

// Renewed is the refusal to free a lease that its holder renews.
func Renewed(l storage.LeaseState) error {
	return stages.Fail(stages.CodeLease, "`sprint cancel` ends a run in good order; --force frees the lease all the same", "%w, which renews it", &storage.HeldError{Key: "leases/" + l.Name, Holder: l.Holder, Epoch: l.Epoch, Version: l.Version})
}

// WatchLease returns the lease if nobody renews it within a ttl, or if it is
// released meanwhile; else *storage.HeldError.
func WatchLease(ctx context.Context, store *storage.Store, l storage.LeaseState) (storage.LeaseState, error) {
	for end := time.Now().Add(runs.LeaseTTL); time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return l, context.Cause(ctx)
		case <-time.After(500 * time.Millisecond):
		}
		now, err := store.Lease(ctx, l.Name)
		if err != nil {
			return l, err
		}
		if now.Free(storage.Self()) {
			return now, nil
		}
		if now.Version != l.Version {
			return l, Renewed(now)
		}
	}
	return l, nil
}
