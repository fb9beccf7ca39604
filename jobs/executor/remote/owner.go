package remote

import (
	"context"
	"errors"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// Owner says whether anybody waits for a job.
type Owner string

// The owners of jobs.
const (
	// OwnerRunner is a live runner, which renews the job's lease in the store.
	OwnerRunner Owner = "runner"
	// OwnerNobody: a runner of this store began it, and is gone.
	OwnerNobody Owner = "nobody"
	// OwnerUnknown: the store knows no such job. It may be that of another store.
	OwnerUnknown Owner = "unknown"
)

// Owners tells them apart for jobs of these IDs, by the store alone: a lease is renewed
// when it changes within ttl by the clock of this machine. It returns the version at which each
// lease was judged.
func Owners(ctx context.Context, s *storage.Store, ttl time.Duration, ids []string) (owners map[string]Owner, versions map[string]string, err error) {
	owners, versions = map[string]Owner{}, map[string]string{}
	waiting := map[string]bool{}
	for _, id := range ids {
		l, err := s.Lease(ctx, jobLease(id))
		switch {
		case errors.Is(err, storage.ErrNotFound):
			owners[id] = OwnerUnknown
		case err != nil:
			return nil, nil, err
		case l.Free(storage.Self()):
			owners[id], versions[id] = OwnerNobody, l.Version
		default:
			waiting[id], versions[id] = true, l.Version
		}
	}
	for began := time.Now(); len(waiting) > 0; {
		over := time.Since(began) > ttl
		for id := range waiting {
			l, err := s.Lease(ctx, jobLease(id))
			switch {
			case err != nil:
				return nil, nil, err
			case l.Free(storage.Self()):
				owners[id], versions[id] = OwnerNobody, l.Version
			case l.Version != versions[id]:
				owners[id] = OwnerRunner
			case over:
				owners[id] = OwnerNobody
			default:
				continue
			}
			delete(waiting, id)
		}
		if len(waiting) == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-time.After(min(500*time.Millisecond, ttl/10)):
		}
	}
	return owners, versions, nil
}

// Unchanged reports whether the lease of a job is as it was judged.
func Unchanged(ctx context.Context, s *storage.Store, id, version string) (bool, error) {
	l, err := s.Lease(ctx, jobLease(id))
	if errors.Is(err, storage.ErrNotFound) {
		return version == "", nil
	}
	return l.Version == version, err
}
