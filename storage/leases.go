package storage

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"
)

// LeaseState is a lease as one who does not hold it finds it.
type LeaseState struct {
	Name     string `json:"name"` // that Acquire takes
	Holder   Holder `json:"holder"`
	Epoch    int    `json:"epoch"`
	Released bool   `json:"released,omitempty"`
	// Renewed is the time of the last renewal by the store's own clock.
	Renewed time.Time `json:"renewed"`
	Version string    `json:"version"` // changes with every renewal
	Broken  bool      `json:"broken,omitempty"`
	Err     error     `json:"-"` // why it is broken
}

// Free reports whether Acquire would take the lease over without a wait: it
// was released, cannot be read, or its holder is a dead process of the
// observer's own host.
func (l LeaseState) Free(observer Holder) bool {
	return l.Released || l.Broken || l.Holder.Dead(observer)
}

// Lease reads the state of a lease; ErrNotFound if nobody ever took it.
func (s *Store) Lease(ctx context.Context, name string) (LeaseState, error) {
	key := "leases/" + name
	l := LeaseState{Name: name}
	info, err := s.Stat(ctx, key)
	if err != nil {
		return l, err
	}
	l.Renewed = info.ModTime
	r, version, err := ReadAs(ctx, s, "read lease", key, decodeLease)
	l.Version = version
	switch {
	case errors.Is(err, ErrCorrupt) && version != "":
		l.Broken, l.Err = true, err // Acquire takes it over, so it is a state
		return l, nil
	case err != nil:
		return l, err
	}
	l.Holder, l.Epoch, l.Released = r.Holder, r.Epoch, r.Released
	return l, nil
}

// Leases yields the leases whose names begin with prefix.
func (s *Store) Leases(ctx context.Context, prefix string) iter.Seq2[LeaseState, error] {
	return func(yield func(LeaseState, error) bool) {
		for info, err := range s.List(ctx, "leases/"+prefix) {
			if err != nil {
				yield(LeaseState{}, err)
				return
			}
			l, err := s.Lease(ctx, strings.TrimPrefix(info.Key, "leases/"))
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if !yield(l, err) || err != nil {
				return
			}
		}
	}
}

// BreakLease releases a lease in its holder's place, if it is still in the
// state given; else the error is ErrStale. A holder that lives after all finds
// its lease lost at its next renewal, because the epoch is another one.
func (s *Store) BreakLease(ctx context.Context, l LeaseState) error {
	_, err := s.putLease(ctx, "leases/"+l.Name, l.Version, leaseRecord{Holder: l.Holder, Epoch: l.Epoch + 1, Released: true})
	return err
}
