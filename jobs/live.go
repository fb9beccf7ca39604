package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// A run that works holds the lease runs/<id> and lists what it reads in
// runs/<id>/uses, and in runs/<id>/used/ what it found later. So everyone who
// sees the store knows who works on what, can ask the run to end, and deletes
// nothing that it reads.

// runLease is the name of a run's lease.
func runLease(run string) string { return "runs/" + run }

// uses are outputs that a run found done and may read.
type uses struct {
	Plan    string   `json:"plan"`
	Command string   `json:"command,omitempty"`
	Digests []string `json:"digests"`
}

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

// Used lists the digests of the outputs that a run found done. ErrNotFound: it
// began no work, or does not exist.
func Used(ctx context.Context, s *storage.Store, run string) ([]string, error) {
	digests, err := usedAt(ctx, s, runKey(run, "uses"))
	if err != nil {
		return nil, err
	}
	for info, err := range s.List(ctx, runKey(run, "used/")) {
		if err != nil {
			return nil, err
		}
		more, err := usedAt(ctx, s, info.Key)
		if err != nil {
			return nil, err
		}
		digests = append(digests, more...)
	}
	return digests, nil
}

func usedAt(ctx context.Context, s *storage.Store, key string) ([]string, error) {
	body, _, err := s.Read(ctx, key)
	if err != nil {
		return nil, err
	}
	var used uses
	if err := json.Unmarshal(body, &used); err != nil {
		return nil, &storage.Error{Op: "read what a run uses", Key: key, Class: storage.ErrCorrupt, Err: err}
	}
	return used.Digests, nil
}

// rely decides about a task as Evaluator.Task does. What it finds done and was
// not there to be seen when the run began is noted as used, and looked at again:
// a gc that did not know of it may have deleted it meanwhile.
func (u *run) rely(ctx context.Context, e Evaluator, t *Task, inputs map[string]storage.Artifact) (*Verdict, error) {
	v, err := e.Task(ctx, u.g, t, inputs)
	if err != nil || v.State != Cached || u.seen[t.Name] == v.Key {
		return v, err
	}
	found := uses{Plan: u.g.Plan.Name, Digests: []string{}}
	for _, a := range v.Manifest.Outputs {
		found.Digests = append(found.Digests, a.Digest)
	}
	err = createJSON(ctx, u.Store, runKey(u.id, fmt.Sprintf("used/%s/%d", t.Name, v.Generation)), found)
	if err != nil && !errors.Is(err, storage.ErrExists) { // of a try before
		return nil, err
	}
	if _, err := u.Store.AwaitSweep(ctx, nil); err != nil {
		return nil, err
	}
	return e.Task(ctx, u.g, t, inputs)
}

// attend makes the run seen as live until leave is called. The context that it
// returns ends when the run is cancelled.
func (u *run) attend(ctx context.Context, e *Evaluation) (attended context.Context, leave func(), err error) {
	lease, err := u.Store.Acquire(ctx, runLease(u.id), storage.Self(), u.TTL, "")
	if err != nil {
		return nil, nil, err
	}
	release := func() {
		if err := lease.Release(context.WithoutCancel(ctx)); err != nil {
			u.Log.Warn("could not release the run's lease", "run", u.id, "error", err)
		}
	}
	used := uses{Plan: u.g.Plan.Name, Command: u.Command, Digests: []string{}}
	for name, v := range e.Tasks {
		if v.Manifest != nil {
			u.seen[name] = v.Key
			for _, a := range v.Manifest.Outputs {
				used.Digests = append(used.Digests, a.Digest)
			}
		}
	}
	if err := createJSON(ctx, u.Store, runKey(u.id, "uses"), used); err != nil {
		if errors.Is(err, storage.ErrExists) { // nobody else has this run's id
			err = &storage.Error{Op: "create", Key: runKey(u.id, "uses"), Class: storage.ErrCorrupt, Err: errors.New("it was written by half")}
		}
		release()
		return nil, nil, err
	}
	// A gc that deletes now may not know this run yet.
	if _, err := u.Store.AwaitSweep(ctx, func(h storage.Holder) {
		u.Log.Warn("waiting for a gc of the store to end", "holder", h.String())
	}); err != nil {
		release()
		return nil, nil, err
	}
	attended, cancel := context.WithCancelCause(ctx)
	quiet := context.AfterFunc(attended, func() {
		u.emit(Event{Type: EventStop, Message: context.Cause(attended).Error()})
	})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		u.heed(attended, cancel)
	}()
	return attended, func() {
		quiet()
		cancel(nil)
		<-stopped
		release()
	}, nil
}

// heed looks for a cancellation of the run until ctx ends.
func (u *run) heed(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(max(u.TTL/10, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c, err := LoadCancellation(ctx, u.Store, u.id)
		switch {
		case err == nil:
			cancel(&CancelledError{c})
			return
		case errors.Is(err, storage.ErrCorrupt):
			cancel(&CancelledError{Cancellation{Reason: "the record of who did it cannot be read"}})
			return
		}
	}
}

// LoadCancellation reads who asked a run to end; ErrNotFound if nobody did.
func LoadCancellation(ctx context.Context, s *storage.Store, run string) (Cancellation, error) {
	var c Cancellation
	body, _, err := s.Read(ctx, runKey(run, "cancel"))
	if err == nil {
		if err = json.Unmarshal(body, &c); err != nil {
			err = &storage.Error{Op: "read cancellation", Key: runKey(run, "cancel"), Class: storage.ErrCorrupt, Err: err}
		}
	}
	return c, err
}

// Cancel asks a run to checkpoint and end, wherever it is. Asking twice is the
// same as asking once: earlier is the request that was there before, nil if none.
func Cancel(ctx context.Context, s *storage.Store, run, reason string) (earlier *Cancellation, err error) {
	err = createJSON(ctx, s, runKey(run, "cancel"), Cancellation{By: storage.Self(), Reason: reason})
	if !errors.Is(err, storage.ErrExists) {
		return nil, err
	}
	c, err := LoadCancellation(ctx, s, run)
	if errors.Is(err, storage.ErrCorrupt) { // it ends the run all the same
		err = nil
	}
	return &c, err
}

// Standing is where a run stands as far as its store tells.
type Standing struct {
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
func (s Standing) Live() bool { return s.State == "running" || s.State == "silent" }

// Stand finds out where a run stands. ErrNotFound: the store has no such run.
func Stand(ctx context.Context, s *storage.Store, run string) (Standing, error) {
	return stand(ctx, s, run, LoadRecord)
}

// Glance is Stand without the record's stages: fit for many runs.
func Glance(ctx context.Context, s *storage.Store, run string) (Standing, error) {
	return stand(ctx, s, run, loadHead)
}

func stand(ctx context.Context, s *storage.Store, run string, load func(context.Context, *storage.Store, string) (Record, error)) (Standing, error) {
	out := Standing{Run: run}
	if !validRun(run) {
		return out, &storage.Error{Op: "read run", Key: run, Class: storage.ErrNotFound}
	}
	r, err := load(ctx, s, run)
	if err == nil {
		out.State, out.Record = "ended", &r
		return out, nil
	}
	if !errors.Is(err, storage.ErrNotFound) {
		return out, err
	}
	l, err := s.Lease(ctx, runLease(run))
	switch {
	case errors.Is(err, storage.ErrNotFound):
		if _, err := s.Stat(ctx, runKey(run, "plan.yaml")); err != nil {
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
func (s Standing) String() string {
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

// validRun keeps what a user types from naming another object.
func validRun(run string) bool {
	return run != "" && !strings.Contains(run, "/") && storage.ValidKey(run)
}
