package gc

import (
	"context"
	"encoding/hex"
	"log/slog"
	"strings"
	"time"

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

// made is what is remembered of a manifest.
type made struct {
	finished time.Time
	inputs   []digest32
}

// reachable is the set of blobs that runs, releases and checkpoints need.
type reachable struct {
	store *storage.Store
	log   *slog.Logger

	keep  map[digest32]bool
	keys  map[string]bool     // kind/key of runs that are kept
	makes map[digest32]made   // the newest manifest that made a digest
	trees map[digest32]bool   // digests that are trees
	done  map[digest32]bool   // trees whose files are kept already
	runs  map[string]*runMark // all runs of the store
	old   []storage.Info      // checkpoints that nobody will continue from
}

// runMark is what a gc knows of a run.
type runMark struct {
	id, plan string
	at       time.Time // of its end, else of its beginning
	live     bool
	pinned   bool
	kept     bool
	sound    bool // its record was verified
}

func newReachable(store *storage.Store, log *slog.Logger) *reachable {
	return &reachable{
		store: store, log: log, keep: map[digest32]bool{}, keys: map[string]bool{}, makes: map[digest32]made{},
		trees: map[digest32]bool{}, done: map[digest32]bool{}, runs: map[string]*runMark{},
	}
}

// add marks one digest.
func (r *reachable) add(digest string) {
	if d, ok := digestOf(digest); ok {
		r.keep[d] = true
	}
}

// markHistory indexes all manifests and marks the outputs of the keys that kept
// runs work on.
func (r *reachable) markHistory(ctx context.Context) error {
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

// markReleases marks the files of every release, and for those that an alias
// names all that they were made of.
func (r *reachable) markReleases(ctx context.Context) error {
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
			if len(aliases[release.Version]) > 0 {
				r.markOrigins(release.Digest)
			}
		}
	}
	return nil
}

// markOrigins marks, transitively, the inputs of the manifest that made a digest.
func (r *reachable) markOrigins(digest string) {
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

// markCheckpoints marks the files of checkpoints that somebody may continue from
// and collects the others in old. committed tells keys that have a manifest.
func (r *reachable) markCheckpoints(ctx context.Context, cutoff time.Time, committed func(kind, key string) (bool, error)) error {
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

// markFound marks the blobs that writers found in the store since the cutoff,
// and returns the older marks.
func (r *reachable) markFound(ctx context.Context, cutoff time.Time) ([]string, error) {
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

// markTreeFiles marks the files of every tree that is kept.
func (r *reachable) markTreeFiles(ctx context.Context) error {
	for d := range r.keep {
		if !r.trees[d] || r.done[d] {
			continue
		}
		r.done[d] = true
		entries, err := r.store.Tree(ctx, "sha256:"+hex.EncodeToString(d[:]))
		switch {
		case storage.MissingOrDamaged(err):
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
