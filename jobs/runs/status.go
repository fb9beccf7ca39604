package runs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// Status is where a run stands as far as its store tells.
type Status struct {
	Run string `json:"run"`
	// State is "ended", "running", "silent" (its holder has not renewed its
	// lease for several ttls), "killed" or "unknown" (begun by a sprint that
	// took no lease).
	State  string         `json:"state"`
	Record *Record        `json:"record,omitempty"` // if ended
	Holder storage.Holder `json:"holder,omitzero"`
	Seen   time.Time      `json:"seen,omitzero"` // last renewal
	Cancel *Cancellation  `json:"cancel,omitempty"`
}

// silence is how long a live run's lease may go without a renewal.
const silence = time.Minute

// Live reports whether the run may still be working.
func (s Status) Live() bool { return s.State == "running" || s.State == "silent" }

// Load finds out where a run stands. The error is storage.ErrNotFound if the store
// has no such run.
func Load(ctx context.Context, s *storage.Store, run string) (Status, error) {
	return load(ctx, s, run, LoadRecord)
}

// LoadBrief is Load without the record's stages: fit for many runs.
func LoadBrief(ctx context.Context, s *storage.Store, run string) (Status, error) {
	return load(ctx, s, run, loadHead)
}

func load(ctx context.Context, s *storage.Store, run string, record func(context.Context, *storage.Store, string) (Record, error)) (Status, error) {
	out := Status{Run: run}
	if !ValidID(run) {
		return out, &storage.Error{Op: "read run", Key: run, Class: storage.ErrNotFound}
	}
	r, err := record(ctx, s, run)
	if err == nil {
		out.State, out.Record = "ended", &r
		return out, nil
	}
	if !errors.Is(err, storage.ErrNotFound) {
		return out, err
	}
	l, err := s.Lease(ctx, LeaseName(run))
	switch {
	case errors.Is(err, storage.ErrNotFound):
		if _, err := s.Stat(ctx, planKey(run)); err != nil {
			return out, err
		}
		out.State = "unknown"
		return out, nil
	case err != nil:
		return out, err
	}
	out.Holder, out.Seen = l.Holder, l.Renewed
	switch {
	case l.Free(storage.Self()):
		out.State = "killed"
	case time.Since(l.Renewed) > silence:
		out.State = "silent"
	default:
		out.State = "running"
	}
	if c, err := LoadCancellation(ctx, s, run); err == nil {
		out.Cancel = &c
	}
	return out, nil
}

// String says it in a few words.
func (s Status) String() string {
	switch s.State {
	case "ended":
		return s.Record.Class
	case "running":
		if s.Cancel != nil {
			return fmt.Sprintf("ending: asked to by %s", s.Cancel.By)
		}
		return fmt.Sprintf("running: %s", s.Holder)
	case "silent":
		return fmt.Sprintf("silent for %s: %s", time.Since(s.Seen).Round(time.Second), s.Holder)
	case "killed":
		return "killed: its process is gone"
	}
	return "unfinished"
}

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
	return time.Since(l.since) <= cmp.Or(l.TTL, LeaseTTL), state.Holder, nil
}

// LeaseTTL is how long a holder on another host may be silent, unless a runner is
// told otherwise.
const LeaseTTL = 20 * time.Second

// Cancellation is the record that asks a run to end.
type Cancellation struct {
	By     storage.Holder `json:"by"`
	Reason string         `json:"reason,omitempty"`
}

// CancelledError is the cause of a context that a cancellation ended.
type CancelledError struct{ Cancellation }

func (e *CancelledError) Error() string {
	text := "cancelled by " + e.By.String()
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

// LoadCancellation reads who asked a run to end; ErrNotFound if nobody did.
func LoadCancellation(ctx context.Context, s *storage.Store, run string) (Cancellation, error) {
	return loadJSON[Cancellation](ctx, s, "read cancellation", Key(run, "cancel"))
}

// Cancel asks a run to checkpoint and end, wherever it is. Asking twice is the
// same as asking once: earlier is the request that was there before, nil if none.
func Cancel(ctx context.Context, s *storage.Store, run, reason string) (earlier *Cancellation, err error) {
	err = createJSON(ctx, s, Key(run, "cancel"), Cancellation{By: storage.Self(), Reason: reason})
	if !errors.Is(err, storage.ErrExists) {
		return nil, err
	}
	c, err := LoadCancellation(ctx, s, run)
	if errors.Is(err, storage.ErrCorrupt) { // it ends the run all the same
		err = nil
	}
	return &c, err
}
