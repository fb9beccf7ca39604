// Package catalog answers what a store holds, for whoever shows it:
//
//   - runs.go: its runs, the newest that fits, the outputs of one; errors that say
//     what to do next
//   - models.go: its published models, with their figures
//   - choose.go: which run is meant where a command names none, and whether it can be
//     shown, compared or repeated
//   - leases.go: the leases that are held
package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/provenance"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"golang.org/x/sync/errgroup"
)

// Run is what a list says of a run.
type Run struct {
	Run     string       `json:"run"`
	Plan    string       `json:"plan"`
	State   string       `json:"state"`
	Code    *stages.Code `json:"code"` // null while it has none
	Class   string       `json:"class,omitempty"`
	Started time.Time    `json:"started"`
	Seconds float64      `json:"seconds"`
	Pinned  bool         `json:"pinned"`
	Note    string       `json:"note,omitempty"` // why it is pinned
	// Figures are null for a run that measured nothing, or before they were recorded.
	Figures *runs.Figures `json:"figures,omitempty"`
	// Cost is null for a run of which nothing had a price.
	Cost   *runs.Cost  `json:"cost,omitempty"`
	Status runs.Status `json:"-"`
}

// Load reads many runs at once: a store far away answers slowly.
func Load(ctx context.Context, store *storage.Store, ids []string, load func(context.Context, *storage.Store, string) (runs.Status, error)) ([]Run, error) {
	out := make([]Run, len(ids))
	var group errgroup.Group
	group.SetLimit(16)
	for i, id := range ids {
		group.Go(func() error {
			s, err := load(ctx, store, id)
			r := Run{Run: id, State: s.State, Status: s}
			switch {
			case storage.MissingOrDamaged(err):
				r.State, r.Status.State = "unknown", "unknown"
			case err != nil:
				return err
			}
			if rec := s.Record; rec != nil {
				r.Plan, r.Started, r.Seconds, r.Code, r.Class = rec.Plan, rec.Started, rec.Finished.Sub(rec.Started).Seconds(), &rec.Code, rec.Class
				r.Figures, r.Cost = rec.Figures, rec.Cost
			} else {
				r.Started = runs.Time(id)
				if plan, err := runs.LoadResolved(ctx, store, id); err == nil {
					r.Plan, r.Started = plan.Plan, plan.Started
				}
				if s.Live() {
					r.Seconds = time.Since(r.Started).Seconds()
				}
			}
			out[i] = r
			return nil
		})
	}
	return out, group.Wait()
}

// Newest returns the newest run that fits.
func Newest(ctx context.Context, store *storage.Store, fits func(runs.Status) bool) (runs.Status, error) {
	ids, err := runs.List(ctx, store, 200)
	if err != nil {
		return runs.Status{}, err
	}
	for batch := range slices.Chunk(ids, 16) {
		listed, err := Load(ctx, store, batch, runs.Load)
		if err != nil {
			return runs.Status{}, err
		}
		for _, r := range listed {
			if fits(r.Status) {
				return r.Status, nil
			}
		}
	}
	return runs.Status{}, storage.ErrNotFound
}

// IsRun reports whether a word names a run of the store rather than an artifact.
func IsRun(ctx context.Context, s *storage.Store, word string) bool {
	_, err := runs.Load(ctx, s, word)
	return err == nil
}

// Outputs lists the artifacts of a run, or of the newest one that has any.
func Outputs(ctx context.Context, s *storage.Store, run string) (runs.Record, []provenance.Found, error) {
	var r runs.Record
	if run == "" {
		newest, err := Newest(ctx, s, func(st runs.Status) bool { return st.Record != nil && hasOutputs(st.Record) })
		if errors.Is(err, storage.ErrNotFound) {
			return r, nil, &diagnostic.UsageError{Message: "no run of this store has made anything", Hint: "`sprint runs` lists them"}
		}
		if err != nil {
			return r, nil, err
		}
		r = *newest.Record
	} else {
		s, err := runs.Load(ctx, s, run)
		if err != nil {
			return r, nil, NoRun(run, err)
		}
		if s.Record == nil {
			return r, nil, &diagnostic.UsageError{Message: fmt.Sprintf("run %s has not ended: %s", run, s), Hint: "its outputs are listed when it has"}
		}
		r = *s.Record
	}
	var out []provenance.Found
	for _, st := range r.Stages {
		made, err := provenance.OutputsOf(ctx, s, *r.Run, st)
		if err != nil {
			return r, nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(made)) {
			out = append(out, made[name])
		}
	}
	return r, out, nil
}

func hasOutputs(r *runs.Record) bool {
	return slices.ContainsFunc(r.Stages, func(st runs.StageResult) bool { return len(st.Outputs) > 0 })
}

// NoRun says that a store has no such run, or why it cannot be read.
func NoRun(id string, err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return &diagnostic.UsageError{Message: "the store has no run " + id, Hint: "`sprint runs` lists its runs"}
	}
	if errors.Is(err, storage.ErrDenied) || errors.Is(err, storage.ErrCorrupt) || errors.Is(err, storage.ErrUntrusted) || errors.Is(err, storage.ErrTransient) {
		return err
	}
	return &diagnostic.UsageError{Message: fmt.Sprintf("cannot read run %s: %v", id, err), Hint: "`sprint runs` lists the runs of the store"}
}

// Gone says what to do about bytes that are not there.
func Gone(ref string, err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return &diagnostic.UsageError{Message: fmt.Sprintf("the bytes of %s are not in the store any more", ref), Hint: "gc evicts what no run needs; running the plan makes it again"}
	}
	return err
}
