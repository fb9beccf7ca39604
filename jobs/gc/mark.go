package gc

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// digest32 is a digest without its text form: sets of them stay small.
type digest32 [32]byte

func digestOf(text string) (d digest32, ok bool) {
	hexes, found := strings.CutPrefix(text, "sha256:")
	if !found || len(hexes) != 64 {
		return d, false
	}
	_, err := hex.Decode(d[:], []byte(hexes))
	return d, err == nil
}

// made is what a gc remembers of a manifest.
type made struct {
	finished time.Time
	inputs   []digest32
}

// reach is the set of blobs that runs, releases and checkpoints need.
type reach struct {
	store *storage.Store
	log   *slog.Logger

	keep  map[digest32]bool
	keys  map[string]bool      // kind/key of runs that are kept
	makes map[digest32]made    // the newest manifest that made a digest
	trees map[digest32]bool    // digests that are trees
	done  map[digest32]bool    // trees whose files are kept already
	runs  map[string]*runReach // all runs of the store
	old   []storage.Info       // checkpoints that nobody will continue from
}

// runReach is what a gc knows of a run.
type runReach struct {
	id, plan string
	at       time.Time // of its end, else of its beginning
	live     bool
	pinned   bool
	kept     bool
	sound    bool // its record was verified
}

func newReach(store *storage.Store, log *slog.Logger) *reach {
	return &reach{
		store: store, log: log, keep: map[digest32]bool{}, keys: map[string]bool{}, makes: map[digest32]made{},
		trees: map[digest32]bool{}, done: map[digest32]bool{}, runs: map[string]*runReach{},
	}
}

func (r *reach) add(digest string) {
	if d, ok := digestOf(digest); ok {
		r.keep[d] = true
	}
}

// history indexes all manifests and reaches the outputs of the keys that kept
// runs work on.
func (r *reach) history(ctx context.Context) error {
	for m, err := range r.store.History(ctx, "") {
		if err != nil {
			return err
		}
		inputs := make([]digest32, 0, len(m.Inputs))
		for _, in := range m.Inputs {
			if d, ok := digestOf(in); ok {
				inputs = append(inputs, d)
			}
		}
		kept := r.keys[m.Kind+"/"+m.Key]
		for _, a := range m.Outputs {
			d, ok := digestOf(a.Digest)
			if !ok {
				continue
			}
			if a.Media == storage.MediaTree {
				r.trees[d] = true
			}
			if kept {
				r.keep[d] = true
			}
			if old, known := r.makes[d]; !known || old.finished.Before(m.Finished) {
				r.makes[d] = made{m.Finished, inputs}
			}
		}
	}
	return nil
}

// choose reads all runs that are not known yet and decides which are kept: live
// and pinned ones, those since the cutoff, the newest of each plan, and those
// whose record is damaged, for nobody knows their age and plan.
func (r *reach) choose(ctx context.Context, newest int, cutoff time.Time) error {
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
			if known, err = r.run(ctx, id); err != nil {
				return err
			}
			r.runs[id] = known
		}
		_, known.pinned = pins[id]
	}
	order := slices.SortedFunc(maps.Values(r.runs), func(a, b *runReach) int {
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
			if err := r.addRun(ctx, known); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reach) run(ctx context.Context, id string) (*runReach, error) {
	out := &runReach{id: id, at: runs.Time(id)}
	s, err := runs.LoadBrief(ctx, r.store, id)
	switch {
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrCorrupt):
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

// addRun reaches what a run made and reads.
func (r *reach) addRun(ctx context.Context, run *runReach) error {
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
	if !errors.Is(err, storage.ErrNotFound) && !errors.Is(err, storage.ErrCorrupt) {
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

// releases reaches the files of every release, and for those that an alias
// names all that they were made of.
func (r *reach) releases(ctx context.Context) error {
	names, err := models.In(r.store).Names(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		all, err := models.In(r.store).Releases(ctx, name)
		if err != nil {
			return err
		}
		aliases, err := models.In(r.store).Aliases(ctx, name)
		if err != nil {
			return err
		}
		for _, release := range all {
			r.add(release.Digest)
			for _, f := range release.Files {
				r.add(f.Digest)
			}
			for _, a := range aliases {
				if a.Version == release.Version {
					r.origins(release.Digest)
				}
			}
		}
	}
	return nil
}

// origins reaches, transitively, the inputs of the manifest that made a digest.
func (r *reach) origins(digest string) {
	first, ok := digestOf(digest)
	if !ok {
		return
	}
	seen := map[digest32]bool{}
	for todo := []digest32{first}; len(todo) > 0; {
		d := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[d] {
			continue
		}
		seen[d], r.keep[d] = true, true
		todo = append(todo, r.makes[d].inputs...)
	}
}

// keptCheckpoints is how many checkpoints of unfinished work a gc leaves: the
// newest may prove broken.
const keptCheckpoints = 3

// checkpoints reaches the files of checkpoints that somebody may continue from
// and notes the others. committed tells keys that have a manifest.
func (r *reach) checkpoints(ctx context.Context, cutoff time.Time, committed func(kind, key string) (bool, error)) error {
	r.old = nil
	var group []storage.Checkpoint
	flush := func() error {
		if len(group) == 0 {
			return nil
		}
		wanted := 0
		if r.keys[group[0].Kind+"/"+group[0].Of] {
			done, err := committed(group[0].Kind, group[0].Of)
			if err != nil {
				return err
			}
			if !done {
				wanted = keptCheckpoints
			}
		}
		for i, c := range group {
			if i < len(group)-wanted && !c.ModTime.After(cutoff) {
				r.old = append(r.old, c.Info)
				continue
			}
			for _, f := range c.Files {
				r.add(f.Digest)
			}
		}
		group = group[:0]
		return nil
	}
	for c, err := range r.store.Checkpoints(ctx) {
		if err != nil {
			return err
		}
		if len(group) > 0 && (group[0].Kind != c.Kind || group[0].Of != c.Of) {
			if err := flush(); err != nil {
				return err
			}
		}
		group = append(group, c)
	}
	return flush()
}

// marked reaches the blobs that writers found in the store since the cutoff,
// and returns the older marks.
func (r *reach) marked(ctx context.Context, cutoff time.Time) ([]string, error) {
	var old []string
	err := r.store.Kept(ctx, func(digest, key string, at time.Time) {
		if at.After(cutoff) {
			r.add(digest)
		} else {
			old = append(old, key)
		}
	})
	return old, err
}

// files reaches the files of every tree that is kept.
func (r *reach) files(ctx context.Context) error {
	for d := range r.keep {
		if !r.trees[d] || r.done[d] {
			continue
		}
		r.done[d] = true
		entries, err := r.store.Tree(ctx, "sha256:"+hex.EncodeToString(d[:]))
		switch {
		case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrCorrupt):
			continue // it cannot be read any more, so nobody needs its files
		case err != nil:
			return err
		}
		for _, e := range entries {
			r.add(e.Digest)
		}
	}
	return nil
}

// forgotten lists the runs that are not kept, oldest first.
func (r *reach) forgotten() []string {
	var ids []string
	for id, run := range r.runs {
		if !run.kept {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
