package gc

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// chooseRuns reads all runs that are not known yet and decides which are kept:
// live and pinned ones, those since the cutoff, the newest of each plan, and those
// whose record is damaged, for nobody knows their age and plan.
func (r *reachable) chooseRuns(ctx context.Context, newest int, cutoff time.Time) error {
	pins, err := runs.LoadPins(ctx, r.store)
	if err != nil {
		return err
	}
	ids, err := runs.List(ctx, r.store, 1<<30)
	if err != nil {
		return err
	}
	for _, id := range ids {
		known := r.runs[id]
		if known == nil || known.live {
			if known, err = r.loadRun(ctx, id); err != nil {
				return err
			}
			r.runs[id] = known
		}
		_, known.pinned = pins[id]
	}
	order := slices.SortedFunc(maps.Values(r.runs), func(a, b *runMark) int {
		return cmp.Or(b.at.Compare(a.at), strings.Compare(b.id, a.id))
	})
	counted := map[string]int{}
	for _, known := range order {
		counted[known.plan]++
		keep := known.live || known.pinned || known.at.After(cutoff) || counted[known.plan] <= newest
		if !keep && !known.sound {
			_, err := runs.LoadRecord(ctx, r.store, known.id)
			switch {
			case errors.Is(err, storage.ErrCorrupt):
				r.log.Warn("the record of a run is damaged, the run is kept", "run", known.id, "error", err)
				keep = true
			case err != nil && !errors.Is(err, storage.ErrNotFound):
				return err
			default:
				known.sound = true
			}
		}
		if keep {
			known.kept = true
			if err := r.markRun(ctx, known); err != nil {
				return err
			}
		}
	}
	return nil
}

// loadRun reads what decides whether a run is kept.
func (r *reachable) loadRun(ctx context.Context, id string) (*runMark, error) {
	out := &runMark{id: id, at: runs.Time(id)}
	s, err := runs.LoadBrief(ctx, r.store, id)
	switch {
	case storage.MissingOrDamaged(err):
		return out, nil
	case err != nil:
		return nil, err
	}
	out.live = s.Live()
	if s.Record != nil {
		out.plan, out.at = s.Record.Plan, s.Record.Finished
		return out, nil
	}
	if s.Seen.After(out.at) {
		out.at = s.Seen
	}
	if resolved, err := runs.LoadResolved(ctx, r.store, id); err == nil {
		out.plan = resolved.Plan
	}
	return out, nil
}

// markRun marks what a run made and reads.
func (r *reachable) markRun(ctx context.Context, run *runMark) error {
	rec, err := runs.LoadRecord(ctx, r.store, run.id)
	if err == nil {
		for _, st := range rec.Stages {
			if st.Key != "" {
				r.keys[st.Kind+"/"+st.Key] = true
			}
			for _, o := range st.Outputs {
				r.add(o.Digest)
			}
		}
		return nil
	}
	if !storage.MissingOrDamaged(err) {
		return err
	}
	used, err := runs.LoadReadSet(ctx, r.store, run.id)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err // a run that may read anything
	}
	for _, d := range used {
		r.add(d)
	}
	for info, err := range r.store.List(ctx, runs.Key(run.id, "attempts/")) {
		if err != nil {
			return err
		}
		body, _, err := r.store.Read(ctx, info.Key)
		var a runs.Attempt
		if err == nil {
			err = json.Unmarshal(body, &a)
		}
		if err != nil {
			r.log.Warn("an attempt cannot be read and is passed over", "key", info.Key, "error", err)
			continue
		}
		r.keys[a.Kind+"/"+a.Key] = true
		for _, in := range a.Inputs {
			r.add(in.Digest)
		}
	}
	return nil
}

// forgottenRuns lists the runs that are not kept, oldest first.
func (r *reachable) forgottenRuns() []string {
	var ids []string
	for id, run := range r.runs {
		if !run.kept {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
