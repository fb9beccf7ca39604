package runs

import (
	"context"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// Liveness finds out whether a run goes on, by looking several times: a runner
// that ended or died here is seen at once, one on another host after a ttl
// without a renewal. It is for one goroutine.
type Liveness struct {
	Store *storage.Store
	Run   string
	TTL   time.Duration // of the run's leases; 0 means LeaseTTL

	version string
	since   time.Time
}

// Alive reports whether the run's holder may still be at work. A run that never
// began, or had nothing to do, has no holder and is not alive.
func (l *Liveness) Alive(ctx context.Context) (alive bool, holder storage.Holder, err error) {
	state, err := l.Store.Lease(ctx, LeaseName(l.Run))
	switch {
	case storage.MissingOrDamaged(err):
		return false, holder, nil
	case err != nil:
		return false, holder, err
	case state.Free(storage.Self()):
		return false, state.Holder, nil
	}
	if state.Version != l.version {
		l.version, l.since = state.Version, time.Now()
	}
	ttl := l.TTL
	if ttl == 0 {
		ttl = LeaseTTL
	}
	return time.Since(l.since) <= ttl, state.Holder, nil
}

// LeaseTTL is how long a holder on another host may be silent, unless a runner is
// told otherwise.
const LeaseTTL = 20 * time.Second
