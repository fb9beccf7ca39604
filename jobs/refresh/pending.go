package refresh

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// undecided is the newest release if it is newer than the champion and no refresh and no
// person decided on it; nil if there is none. A refresh that was killed after its run
// leaves one. What a run published that did not end is none: its aliases may not have moved
// yet, and the same run again ends it.
func (r *refresh) undecided(ctx context.Context, c *champion) (*models.Release, error) {
	registry := models.In(r.Store)
	all, err := registry.Releases(ctx, r.model)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	newest := all[len(all)-1]
	if c != nil && newest.Version <= c.release.Version {
		return nil, nil
	}
	if decided, err := r.decided(ctx, newest.Version); err != nil || decided != nil {
		return nil, err
	}
	id := runOf(newest)
	if id == "" {
		return nil, nil
	}
	record, err := runs.LoadRecord(ctx, r.Store, id)
	if storage.MissingOrDamaged(err) || err == nil && publishedBy(&record.Result) != newest.Digest {
		return nil, nil
	}
	return &newest, err
}

// decided is the last move by which a refresh or a person decided on a version; nil if
// nobody did.
func (r *refresh) decided(ctx context.Context, version int) (*models.Move, error) {
	for _, alias := range []string{models.Champion, Refused} {
		moves, err := models.In(r.Store).History(ctx, r.model, alias, 0)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return nil, err
		}
		if i := slices.IndexFunc(moves, func(m models.Move) bool { return m.Version == version }); i >= 0 {
			return &moves[i], nil
		}
	}
	return nil, nil
}

// looked is how many runs of a store are looked at for the last training.
const looked = 200

// lastTraining is when the plan last trained, whatever came of it, and the run that did;
// zero if it never did, as far as the store knows.
func (r *refresh) lastTraining(ctx context.Context) (time.Time, string, error) {
	ids, err := runs.List(ctx, r.Store, looked)
	if err != nil {
		return time.Time{}, "", err
	}
	for _, id := range ids {
		record, err := runs.LoadRecord(ctx, r.Store, id)
		if storage.MissingOrDamaged(err) {
			continue // it goes on, or was killed before it ended
		}
		if err != nil {
			return time.Time{}, "", err
		}
		if record.Plan == r.Graph.Plan.Name && slices.ContainsFunc(record.Stages, func(st runs.StageResult) bool {
			return st.Kind == "train" && (st.State == runs.Succeeded || st.State == runs.Failed)
		}) {
			return runs.Time(id), id, nil
		}
	}
	return time.Time{}, "", nil
}
