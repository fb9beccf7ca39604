package gc

import (
	"bytes"
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/stages/embeddings"
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

// sortedDigests returns the digests of a set in their order, so that what a gc does to a
// store is the same each time.
func sortedDigests[V any](set map[digest32]V) []digest32 {
	return slices.SortedFunc(maps.Keys(set), func(a, b digest32) int { return bytes.Compare(a[:], b[:]) })
}

// made is what is remembered of a manifest.
type made struct {
	finished time.Time
	inputs   []digest32
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

// add marks one digest.
func (c *collection) add(digest string) {
	if d, ok := digestOf(digest); ok {
		c.keep[d] = true
	}
}

// markHistory indexes all manifests and marks the outputs of the keys that kept
// runs work on.
func (c *collection) markHistory(ctx context.Context) error {
	for m, err := range c.Store.History(ctx, "") {
		if err != nil {
			return err
		}
		inputs := make([]digest32, 0, len(m.Inputs))
		for _, in := range m.Inputs {
			if d, ok := digestOf(in); ok {
				inputs = append(inputs, d)
			}
		}
		kept := c.keys[m.Kind+"/"+m.Key]
		for _, name := range []string{embeddings.NoteName, embeddings.HeadsNoteName} {
			if note, ok := m.Notes[name].(map[string]any); ok && kept {
				if space, ok := note["space"].(string); ok {
					c.spaces[space] = true
				}
			}
		}
		for _, a := range m.Outputs {
			d, ok := digestOf(a.Digest)
			if !ok {
				continue
			}
			if a.Media == storage.MediaTree {
				c.trees[d] = true
			}
			if kept {
				c.keep[d] = true
			}
			if old, known := c.makes[d]; !known || old.finished.Before(m.Finished) {
				c.makes[d] = made{m.Finished, inputs}
			}
		}
	}
	return nil
}

// markReleases marks the files of every release, and for those that an alias
// names all that they were made of.
func (c *collection) markReleases(ctx context.Context) error {
	names, err := models.In(c.Store).Names(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		all, err := models.In(c.Store).Releases(ctx, name)
		if err != nil {
			return err
		}
		aliases, err := models.In(c.Store).Aliases(ctx, name)
		if err != nil {
			return err
		}
		for _, release := range all {
			c.add(release.Digest)
			for _, f := range release.Files {
				c.add(f.Digest)
			}
			if len(aliases[release.Version]) > 0 {
				c.markOrigins(release.Digest)
			}
		}
	}
	return nil
}

// markOrigins marks, transitively, the inputs of the manifest that made a digest.
func (c *collection) markOrigins(digest string) {
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
		seen[d], c.keep[d] = true, true
		todo = append(todo, c.makes[d].inputs...)
	}
}

// keptCheckpoints is how many checkpoints of unfinished work a gc leaves: the
// newest may prove broken.
const keptCheckpoints = 3

// markCheckpoints marks the files of checkpoints that somebody may continue from
// and collects the others in old.
func (c *collection) markCheckpoints(ctx context.Context) error {
	c.old = nil
	var group []storage.Checkpoint
	flush := func() error {
		if len(group) == 0 {
			return nil
		}
		wanted := 0
		if c.keys[group[0].Kind+"/"+group[0].Of] {
			committed, err := c.Store.Generation(ctx, group[0].Kind, group[0].Of)
			if err != nil {
				return err
			}
			if committed == 0 {
				wanted = keptCheckpoints
			}
		}
		for i, p := range group {
			if i < len(group)-wanted && !p.ModTime.After(c.cutoff) {
				c.old = append(c.old, p.Info)
				continue
			}
			for _, f := range p.Files {
				c.add(f.Digest)
			}
		}
		group = group[:0]
		return nil
	}
	for p, err := range c.Store.Checkpoints(ctx) {
		if err != nil {
			return err
		}
		if len(group) > 0 && (group[0].Kind != p.Kind || group[0].Of != p.Of) {
			if err := flush(); err != nil {
				return err
			}
		}
		group = append(group, p)
	}
	return flush()
}

// markEmbeddings marks the vectors of the encoders that kept runs used, and those within
// the grace period, and collects the records of the others.
func (c *collection) markEmbeddings(ctx context.Context) error {
	c.vectors = nil
	for kept, err := range embeddings.All(ctx, c.Store) {
		if err != nil {
			return err
		}
		if c.spaces[kept.Space] || kept.ModTime.After(c.cutoff) {
			c.add(kept.Blob)
		} else {
			c.vectors = append(c.vectors, kept.Info)
		}
	}
	return nil
}

// markFound marks the blobs that writers found in the store within the grace, and
// collects the older marks.
func (c *collection) markFound(ctx context.Context) error {
	c.marks = nil
	return c.Store.Kept(ctx, func(digest, key string, at time.Time) {
		if at.After(c.now.Add(-c.grace())) {
			c.add(digest)
		} else {
			c.marks = append(c.marks, key)
		}
	})
}

// markTreeFiles marks the files of every tree that is kept.
func (c *collection) markTreeFiles(ctx context.Context) error {
	for _, d := range sortedDigests(c.trees) {
		if !c.keep[d] || c.done[d] {
			continue
		}
		c.done[d] = true
		entries, err := c.Store.Tree(ctx, "sha256:"+hex.EncodeToString(d[:]))
		switch {
		case storage.MissingOrDamaged(err):
			continue // it cannot be read any more, so nobody needs its files
		case err != nil:
			return err
		}
		for _, e := range entries {
			c.add(e.Digest)
		}
	}
	return nil
}
