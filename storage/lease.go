package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/storage/record"
)

// Lease says that its holder is working on something. It only saves double
// work: correctness rests on exclusive manifests, never on a lease.
type Lease struct {
	s       *Store
	key     string
	ttl     time.Duration
	stop    context.CancelFunc
	stopped chan struct{}
	lost    chan struct{}

	mu      sync.Mutex
	state   leaseRecord
	version string

	silence silence
}

// silence is how long others could not see that a holder lives.
type silence struct {
	mu      sync.Mutex
	since   time.Time // the last renewal was begun
	longest time.Duration
}

// ends notes a renewal that was begun at a time.
func (s *silence) ends(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.longest, s.since = max(s.longest, passed(s.since, at)), at
}

// most returns the longest one so far.
func (s *silence) most() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(s.longest, passed(s.since, time.Now()))
}

// passed is the time between two, by that of the machine's clocks which says more:
// one of them stands still while the machine sleeps.
func passed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

type leaseRecord struct {
	Holder   Holder `json:"holder"`
	Epoch    int    `json:"epoch"` // + 1 at every takeover
	Beat     int    `json:"beat"`  // + 1 at every renewal
	Released bool   `json:"released,omitempty"`
}

// HeldError says who holds a lease. It is ErrHeld.
type HeldError struct {
	Key     string
	Holder  Holder
	Epoch   int
	Version string // changes with every renewal
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("lease %s is held by %s", e.Key, e.Holder)
}

func (e *HeldError) Unwrap() error { return ErrHeld }

// Acquire takes the lease of a name, or returns a *HeldError. A lease that was
// released, or whose holder is a dead process of this host, is taken over at
// once. Any other is the observer's decision: if Version has not changed for a
// whole ttl of its own clock, it may call Acquire with stale set to it.
func (s *Store) Acquire(ctx context.Context, name string, h Holder, ttl time.Duration, stale string) (*Lease, error) {
	key := "leases/" + name
	var next leaseRecord
	var version string
	var began time.Time
	for tries := 1; ; tries++ {
		body, at, err := s.Read(ctx, key)
		next = leaseRecord{Holder: h, Epoch: 1}
		switch {
		case errors.Is(err, ErrNotFound):
			at = ""
		case errors.Is(err, ErrCorrupt) && at != "":
			// A lease only saves double work, so a broken one must not stop all.
			s.Logger().Warn("lease is broken, taking it over", "lease", key, "error", err)
		case err != nil:
			return nil, err
		default:
			var now leaseRecord
			if err := decodeLease(body, &now); err != nil {
				s.Logger().Warn("lease is unreadable, taking it over", "lease", key, "error", err)
				break
			}
			if !now.Released && at != stale && !now.Holder.Dead(h) {
				return nil, &HeldError{Key: key, Holder: now.Holder, Epoch: now.Epoch, Version: at}
			}
			next.Epoch = now.Epoch + 1
		}
		began = time.Now()
		version, err = s.putLease(ctx, key, at, next)
		if err == nil {
			break
		}
		// Somebody was faster, or left half a record: look again.
		if !errors.Is(err, ErrStale) {
			return nil, err
		}
		if tries == 5 {
			return nil, &Error{Op: "take lease", Key: key, Class: ErrTransient, Err: errors.New("others keep taking it")}
		}
	}
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &Lease{s: s, key: key, ttl: ttl, state: next, version: version, stop: stop, stopped: make(chan struct{}), lost: make(chan struct{}), silence: silence{since: began}}
	go l.renew(renewing)
	return l, nil
}

func decodeLease(body []byte, r *leaseRecord) error {
	err := record.DecodeStrict(body, r)
	if err == nil && (r.Epoch < 1 || r.Beat < 0) {
		err = fmt.Errorf("epoch %d, beat %d", r.Epoch, r.Beat)
	}
	return err
}

func (s *Store) putLease(ctx context.Context, key, version string, r leaseRecord) (string, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	return s.Swap(ctx, key, version, body)
}

// renew swaps the lease every third of its ttl until it is released or lost.
func (l *Lease) renew(ctx context.Context) {
	defer close(l.stopped)
	tick := time.NewTicker(l.ttl / 3)
	defer tick.Stop()
	good := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// A store that hangs must not keep the holder from learning that its
		// ttl is over.
		once, cancel := context.WithTimeout(ctx, l.ttl/2)
		began := time.Now()
		l.mu.Lock()
		next := l.state
		next.Beat++
		err := l.put(once, next)
		l.mu.Unlock()
		cancel()
		switch {
		case err == nil:
			good = began
			l.silence.ends(began)
		case ctx.Err() != nil:
		case errors.Is(err, ErrStale), time.Since(good) > l.ttl:
			l.s.Logger().Warn("lease is lost", "lease", l.key, "error", err)
			close(l.lost)
			return
		default:
			l.s.Logger().Warn("lease could not be renewed, trying again", "lease", l.key, "error", err)
		}
	}
}

// put writes the next state. A write of this holder that landed without its
// knowledge is no reason to think the lease lost: the epoch tells.
func (l *Lease) put(ctx context.Context, next leaseRecord) error {
	version, err := l.s.putLease(ctx, l.key, l.version, next)
	if errors.Is(err, ErrStale) {
		now, at, readErr := ReadAs(ctx, l.s, "read lease", l.key, decodeLease)
		if readErr != nil || now.Epoch != l.state.Epoch || now.Holder != l.state.Holder {
			return err
		}
		version, err = l.s.putLease(ctx, l.key, at, next)
	}
	if err == nil {
		l.state, l.version = next, version
	}
	return err
}

// Lost is closed when another holder has taken the lease, or when it could not
// be renewed for a whole ttl.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

// Release ends the lease so that the next one need not wait.
func (l *Lease) Release(ctx context.Context) error {
	l.stop()
	<-l.stopped
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.lost:
		return nil
	default:
	}
	if l.state.Released {
		return nil
	}
	next := l.state
	next.Released = true
	err := l.put(ctx, next)
	if errors.Is(err, ErrStale) {
		return nil
	}
	return err
}
