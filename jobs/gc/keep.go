package gc

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// chooseRuns reads all runs that are not known yet and decides which are kept:
// live and pinned ones, those since the cutoff, the newest of each plan, and those
// whose record is damaged, for nobody knows their age and plan.
func (c *collection) chooseRuns(ctx context.Context) error {
	pins, err := runs.LoadPins(ctx, c.Store)
	if err != nil {
		return err
	}
	ids, err := runs.List(ctx, c.Store, 1<<30)
	if err != nil {
		return err
	}
	for _, id := range ids {
		known := c.runs[id]
		if known == nil || known.live {
			if known, err = c.loadRun(ctx, id); err != nil {
				return err
			}
			c.runs[id] = known
		}
		_, known.pinned = pins[id]
	}
	order := slices.SortedFunc(maps.Values(c.runs), func(a, b *runMark) int {
		return cmp.Or(b.at.Compare(a.at), strings.Compare(b.id, a.id))
	})
	counted := map[string]int{}
	for _, known := range order {
		counted[known.plan]++
		keep := known.live || known.pinned || known.at.After(c.cutoff) || counted[known.plan] <= c.KeepRuns
		if !keep && !known.sound {
			_, err := runs.LoadRecord(ctx, c.Store, known.id)
			switch {
			case errors.Is(err, storage.ErrCorrupt):
				c.Log.Warn("the record of a run is damaged, the run is kept", "run", known.id, "error", err)
				keep = true
			case err != nil && !errors.Is(err, storage.ErrNotFound):
				return err
			default:
				known.sound = true
			}
		}
		if keep {
			known.kept = true
			if err := c.markRun(ctx, known); err != nil {
				return err
			}
		}
	}
	return nil
}

// loadRun reads what decides whether a run is kept.
func (c *collection) loadRun(ctx context.Context, id string) (*runMark, error) {
	out := &runMark{id: id, at: runs.Time(id)}
	s, err := runs.LoadBrief(ctx, c.Store, id)
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
	if resolved, err := runs.LoadResolved(ctx, c.Store, id); err == nil {
		out.plan = resolved.Plan
	}
	return out, nil
}

// markRun marks what a run made and reads.
func (c *collection) markRun(ctx context.Context, run *runMark) error {
	rec, err := runs.LoadRecord(ctx, c.Store, run.id)
	if err == nil {
		for _, st := range rec.Stages {
			if st.Key != "" {
				c.keys[st.Kind+"/"+st.Key] = true
			}
			for _, o := range st.Outputs {
				c.add(o.Digest)
			}
		}
		return nil
	}
	if !storage.MissingOrDamaged(err) {
		return err
	}
	used, err := runs.LoadReadSet(ctx, c.Store, run.id)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err // a run that may read anything
	}
	for _, d := range used {
		c.add(d)
	}
	for info, err := range c.Store.List(ctx, runs.Key(run.id, "attempts/")) {
		if err != nil {
			return err
		}
		body, _, err := c.Store.Read(ctx, info.Key)
		var a runs.Attempt
		if err == nil {
			err = json.Unmarshal(body, &a)
		}
		if err != nil {
			c.Log.Warn("an attempt cannot be read and is passed over", "key", info.Key, "error", err)
			continue
		}
		c.keys[a.Kind+"/"+a.Key] = true
		for _, in := range a.Inputs {
			c.add(in.Digest)
		}
	}
	return nil
}
