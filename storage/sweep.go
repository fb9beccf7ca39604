package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"
	"time"
)

// Deleting beside writers that do not know of it. A writer that finds the blob
// it wants to put there already sends nothing, so the blob's age says nothing of
// how much it is needed. It therefore marks the blob as kept, and then looks
// whether a sweep is going on. A sweep begins with its lease, waits until no
// writer can still rely on having looked before, and only then reads the marks:
// so either the sweep sees the mark, or the writer sees the sweep, waits for its
// end and puts the blob if it is gone.

const (
	sweepLease = "gc/sweep"
	sweepTTL   = 20 * time.Second
	// A sweep that nobody saw renewed for so long deletes nothing any more, and what
	// it has begun to delete ends in the rest of its ttl: when that is over, writers
	// take it for dead.
	sweepSilence = sweepTTL * 3 / 4
	// looked is how long a writer may rely on having seen no sweep.
	looked = 2 * time.Second
	// SweepSettle is how long a sweep waits before it reads the marks.
	SweepSettle = looked + time.Second
	// young blobs need no mark: no sweep beside writers takes one of that age.
	young = 10 * time.Minute
	// SweepAge is the least age of what a sweep beside writers may delete.
	SweepAge = time.Hour
)

// sweepWatch remembers when a store last looked for a sweep and found none, and what
// it knows of ages. They are told by the store's clock: by that of this machine, which
// may be hours behind, an old blob would be young.
type sweepWatch struct {
	mu    sync.Mutex
	clear time.Time
	safe  map[string]time.Time // when blobs were written or marked, by key
	// The store's clock said stored at the time read of this machine's; stored is
	// zero until it was read.
	stored, read time.Time
}

// secure notes that no sweep takes a blob for a while, since a time.
func (w *sweepWatch) secure(blobKey string, since time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.safe == nil || len(w.safe) > 10_000 {
		w.safe = map[string]time.Time{}
	}
	w.safe[blobKey] = since
}

// secured reports whether no sweep takes a blob for a while.
func (w *sweepWatch) secured(info Info) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if since, known := w.safe[info.Key]; known && passed(since, now) < young {
		return true
	}
	age := w.stored.Add(passed(w.read, now)).Sub(info.ModTime)
	return !w.stored.IsZero() && age > -young && age < young
}

// keepMark is the key of the mark of a blob.
func keepMark(blobKey string) string { return "kept/" + strings.TrimPrefix(blobKey, "blobs/") }

// keep makes sure that a blob found in the store stays there. With again the
// caller must look once more: a sweep may have ended between its look and the
// mark that keep made.
func (s *Store) keep(ctx context.Context, info Info) (again bool, err error) {
	if !s.watch.secured(info) {
		began := time.Now()
		if err := s.WriteFile(ctx, keepMark(info.Key), nil); err != nil {
			return false, err
		}
		s.watch.secure(info.Key, began)
		s.readClock(ctx, keepMark(info.Key), began)
		again = true
	}
	swept, err := s.AwaitSweep(ctx, nil)
	return again || swept, err
}

// readClock reads the store's clock, once, off an object that was written since a
// time. Without it every blob that is found is marked.
func (s *Store) readClock(ctx context.Context, key string, since time.Time) {
	s.watch.mu.Lock()
	first := s.watch.read.IsZero()
	if first {
		s.watch.read = since
	}
	s.watch.mu.Unlock()
	if !first {
		return
	}
	info, err := s.Stat(ctx, key)
	if err != nil {
		s.Logger().Debug("could not read the store's clock", "key", key, "error", err)
	}
	s.watch.mu.Lock()
	defer s.watch.mu.Unlock()
	s.watch.stored = info.ModTime
}

// AwaitSweep returns when no sweep goes on; waited says that one did. notify, if
// not nil, is told once who sweeps. A sweep whose holder went silent for a ttl
// is not waited for.
func (s *Store) AwaitSweep(ctx context.Context, notify func(Holder)) (waited bool, err error) {
	s.watch.mu.Lock()
	clear := passed(s.watch.clear, time.Now()) < looked
	s.watch.mu.Unlock()
	if clear {
		return false, nil
	}
	var version string
	var since time.Time
	for {
		began := time.Now()
		l, err := s.Lease(ctx, sweepLease)
		never := errors.Is(err, ErrNotFound)
		if err != nil && !never {
			return waited, err
		}
		if l.Version != version {
			version, since = l.Version, time.Now()
		}
		if never || l.Free(Self()) || time.Since(since) > sweepTTL {
			s.watch.mu.Lock()
			s.watch.clear = began
			s.watch.mu.Unlock()
			return waited, nil
		}
		if !waited && notify != nil {
			notify(l.Holder)
		}
		waited = true
		select {
		case <-ctx.Done():
			return waited, context.Cause(ctx)
		case <-time.After(looked / 4):
		}
	}
}

// Sweeper deletes from a store beside its writers. Only one sweeps at a time.
type Sweeper struct {
	s     *Store
	lease *Lease
	now   time.Time
}

// BeginSweep takes the lease of the sweep, *HeldError if another has it, and
// returns when no writer relies any more on having seen none.
func (s *Store) BeginSweep(ctx context.Context, settle time.Duration) (*Sweeper, error) {
	lease, err := s.acquireSweep(ctx)
	if err != nil {
		return nil, err
	}
	w := &Sweeper{s: s, lease: lease}
	state, err := s.Lease(ctx, sweepLease)
	if err == nil {
		w.now = state.Renewed
		select {
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-time.After(settle):
		}
	}
	if err != nil {
		_ = lease.Release(context.WithoutCancel(ctx)) // the first failure is the one to tell
		return nil, err
	}
	return w, nil
}

// acquireSweep takes the lease of the sweep, on a full disk in the space that earlier
// runs reserved.
func (s *Store) acquireSweep(ctx context.Context) (*Lease, error) {
	lease, err := s.Acquire(ctx, sweepLease, Self(), sweepTTL, "")
	if !errors.Is(err, ErrFull) {
		return lease, err
	}
	spent, failed := s.SpendReserve()
	if !spent {
		return nil, errors.Join(err, failed)
	}
	s.Logger().Info("the disk of the store is full: the space that runs reserved is used to begin")
	return s.Acquire(ctx, sweepLease, Self(), sweepTTL, "")
}

// Now is the time at which the sweep began, by the store's own clock.
func (w *Sweeper) Now() time.Time { return w.now }

// End releases the lease, and reserves space for the next sweep of a full disk.
func (w *Sweeper) End(ctx context.Context) error {
	err := w.lease.Release(ctx)
	if failed := w.s.Reserve(); failed != nil {
		w.s.Logger().Debug("no space could be reserved for the next gc", "error", failed)
	}
	return err
}

// ErrYoung says that an object was written too lately to be deleted.
var ErrYoung = errors.New("written meanwhile")

// Delete removes an object unless it was written within the last age. It fails
// once the sweep's lease is lost, or writers may have thought so: after a pause of
// this process they count on what was about to be deleted.
func (w *Sweeper) Delete(ctx context.Context, key string, age time.Duration) error {
	info, err := w.s.Stat(ctx, key)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	case age > 0 && w.now.Sub(info.ModTime) < age:
		return &Error{Op: "sweep", Key: key, Class: ErrYoung}
	}
	select {
	case <-w.lease.Lost():
		return &Error{Op: "sweep", Key: key, Class: ErrHeld, Err: errors.New("the lease of the sweep is lost")}
	default:
	}
	if most := w.lease.silence.most(); most > sweepSilence {
		return &Error{Op: "sweep", Key: key, Class: ErrHeld, Err: fmt.Errorf("the sweep stood still for %s, and writers may count on what it was about to delete; begin it again", most.Round(time.Second))}
	}
	timely, cancel := context.WithTimeoutCause(ctx, sweepTTL-sweepSilence, errLate)
	defer cancel()
	err = w.s.Sweep(timely, key)
	if err != nil && errors.Is(context.Cause(timely), errLate) {
		return &Error{Op: "sweep", Key: key, Class: ErrTransient, Err: errLate}
	}
	return err
}

// errLate ends a deletion that writers would not expect any more.
var errLate = errors.New("the store did not answer in time")

// Kept calls visit with the digest of every blob that a writer marked.
func (s *Store) Kept(ctx context.Context, visit func(digest, key string, at time.Time)) error {
	for info, err := range s.List(ctx, "kept/sha256/") {
		if err != nil {
			return err
		}
		visit("sha256:"+path.Base(info.Key), info.Key, info.ModTime)
	}
	return nil
}

// Tombstone says that outputs of a manifest were deleted on purpose.
type Tombstone struct {
	Kind       string    `json:"kind"`
	Key        string    `json:"key"`
	Generation int       `json:"generation"` // the newest whose outputs are gone
	Evicted    time.Time `json:"evicted"`
	Bytes      int64     `json:"bytes"`
}

func tombstoneKey(kind, key string) string { return "tombstones/" + kind + "/" + key }

// Bury records that the outputs of a manifest are about to be deleted.
func (s *Store) Bury(ctx context.Context, t Tombstone) error {
	body, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return s.WriteRecord(ctx, tombstoneKey(t.Kind, t.Key), body)
}

// Tombstone returns that of a manifest; ErrNotFound if it has none.
func (s *Store) Tombstone(ctx context.Context, m Manifest) (Tombstone, error) {
	key := tombstoneKey(m.Kind, m.Key)
	t, _, err := ReadAs(ctx, s, "read tombstone", key, func(body []byte, t *Tombstone) error {
		return json.Unmarshal(body, t)
	})
	if err == nil && t.Generation < m.Generation {
		return t, &Error{Op: "read tombstone", Key: key, Class: ErrNotFound, Err: fmt.Errorf("that of generation %d", t.Generation)}
	}
	return t, err
}

// SweepTemp removes what writers that died left of objects they never finished
// and that no List shows: temporary files, and uploads in parts on S3. It
// returns how many and how many bytes that was; with dry it only counts. Stores
// that do not say count nothing (GCS drops unfinished uploads by itself).
func (s *Store) SweepTemp(ctx context.Context, age time.Duration, dry bool) (files int, bytes int64, err error) {
	return s.SweepUnfinished(ctx, []string{"blobs/", "models/"}, age, dry)
}
