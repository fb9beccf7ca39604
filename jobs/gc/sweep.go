package gc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
	"golang.org/x/sync/errgroup"
)

// deleteAll deletes what is not marked. No other gc does so meanwhile, and writers
// wait for its end.
func (c *collection) deleteAll(ctx context.Context) (err error) {
	c.sweep, err = c.Store.BeginSweep(ctx, c.Settle)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.sweep.End(context.WithoutCancel(ctx))) }()
	// Ages are told by the store's clock, where this machine's may be wrong.
	c.now = c.sweep.Now()
	c.cutoff = c.now.Add(-c.OlderThan)
	if err := c.chooseRuns(ctx); err != nil {
		return err
	}
	if c.OlderThan < storage.SweepAge {
		for _, run := range c.runs {
			if run.live {
				return &diagnostic.UsageError{Message: fmt.Sprintf("run %s is live, and what it writes is younger than --older-than", run.id), Hint: "wait for its end, or take --older-than 1h or more"}
			}
		}
	}
	if err := c.markAll(ctx); err != nil {
		return err
	}
	for d := range c.blobs {
		if c.keep[d] {
			delete(c.blobs, d)
			c.report.Spared++
		}
	}
	// What refers to blobs goes first.
	return inOrder(ctx, c.collectOther, c.deleteBlobs)
}

// burials is how many tombstones are written before the blobs that they tell of are
// deleted: on a full disk there is room for no more.
const burials = 64

// batch is a part of what is deleted.
type batch struct {
	tombstones []storage.Tombstone
	blobs      []digest32
}

// batches parts the blobs that go and the tombstones of the manifests whose outputs
// they are, so that a blob is not in an earlier part than any tombstone that tells
// of it. Blobs that no manifest names come last: they may be files of a tree.
func (c *collection) batches(ctx context.Context) ([]batch, error) {
	var out []batch
	last := map[digest32]int{}   // the part of the last tombstone that tells of a blob
	tombs := map[string][2]int{} // the place of the tombstone of a kind/key
	for m, err := range c.Store.History(ctx, "") {
		if err != nil {
			return nil, err
		}
		var bytes int64
		hit := false
		for _, a := range m.Outputs {
			if d, ok := digestOf(a.Digest); ok {
				if size, goes := c.blobs[d]; goes {
					hit, bytes = true, bytes+size
				}
			}
		}
		if !hit {
			continue
		}
		t := storage.Tombstone{Kind: m.Kind, Key: m.Key, Generation: m.Generation, Evicted: c.now.UTC(), Bytes: bytes}
		at, known := tombs[m.Kind+"/"+m.Key]
		if !known {
			if len(out) == 0 || len(out[len(out)-1].tombstones) == burials {
				out = append(out, batch{})
			}
			at = [2]int{len(out) - 1, len(out[len(out)-1].tombstones)}
			tombs[m.Kind+"/"+m.Key] = at
			out[at[0]].tombstones = append(out[at[0]].tombstones, t)
		}
		out[at[0]].tombstones[at[1]] = t
		for _, a := range m.Outputs {
			if d, ok := digestOf(a.Digest); ok {
				last[d] = max(last[d], at[0])
			}
		}
	}
	out = append(out, batch{})
	for _, d := range sortedDigests(c.blobs) {
		at, named := last[d]
		if !named {
			at = len(out) - 1
		}
		out[at].blobs = append(out[at].blobs, d)
	}
	return out, nil
}

// deleteBlobs deletes the blobs. Tombstones are written before: a reader in between
// sees an output or its tombstone.
func (c *collection) deleteBlobs(ctx context.Context) error {
	group := &c.report.Groups[0]
	*group = Group{What: group.What}
	batches, err := c.batches(ctx)
	if err != nil {
		return err
	}
	for _, b := range batches {
		if err := forEach(ctx, b.tombstones, func(t storage.Tombstone) error { return c.Store.Bury(ctx, t) }); err != nil {
			return err
		}
		if err := c.deleteBatch(ctx, b.blobs, group); err != nil {
			return err
		}
	}
	return nil
}

// deleteBatch deletes some of the blobs.
func (c *collection) deleteBatch(ctx context.Context, blobs []digest32, group *Group) error {
	var mu sync.Mutex
	return forEach(ctx, blobs, func(d digest32) error {
		key, err := storage.BlobKey(fmt.Sprintf("sha256:%x", d[:]))
		if err != nil {
			return err
		}
		err = c.sweep.Delete(ctx, key, c.OlderThan)
		mu.Lock()
		defer mu.Unlock()
		if errors.Is(err, storage.ErrYoung) {
			c.report.Spared++
			return nil
		}
		if err == nil {
			group.Objects++
			group.Bytes += c.blobs[d]
		}
		return err
	})
}

// collectOther counts, or deletes, all that is no artifact.
func (c *collection) collectOther(ctx context.Context) error {
	var left []storage.Info
	for _, id := range c.report.Forgotten {
		if c.runs[id].kept {
			continue // pinned meanwhile
		}
		for _, part := range []string{"attempts/", "workers/", "ends/", "left/", "events/", "logs/", "uses", "used/", "cancel", "report.html"} {
			for info, err := range c.Store.List(ctx, runs.Key(id, part)) {
				if err != nil {
					return err
				}
				left = append(left, info)
			}
		}
	}
	var records []storage.Info
	for _, key := range c.marks {
		records = append(records, storage.Info{Key: key})
	}
	for _, prefix := range []string{"probe/", "leases/", "jobs/", "quarantine/"} {
		if err := c.stale(ctx, prefix, &records); err != nil {
			return err
		}
	}
	for _, x := range []struct {
		what    string
		age     time.Duration
		objects []storage.Info
	}{{"checkpoints", c.OlderThan, c.old}, {"embeddings", c.OlderThan, c.vectors}, {"logs of old runs", 0, left}, {"leases and marks", c.grace(), records}} {
		if err := c.group(ctx, x.what, x.age, x.objects); err != nil {
			return err
		}
	}
	files, bytes, err := c.Store.SweepTemp(ctx, c.grace(), !c.Delete)
	if errors.Is(err, storage.ErrDenied) {
		// Listing and aborting uploads are rights of their own; what they would
		// free is not worth the rest of the gc.
		c.Log.Warn("unfinished uploads are left to the bucket's own rules", "missing", "the right to list and abort multipart uploads", "error", err)
		err = nil
	}
	if err == nil {
		c.report.Groups = append(c.report.Groups, Group{What: "temporary files", Objects: files, Bytes: bytes})
	}
	return err
}

// stale adds records below prefix that serve nobody any more.
func (c *collection) stale(ctx context.Context, prefix string, into *[]storage.Info) error {
	for info, err := range c.Store.List(ctx, prefix) {
		if err != nil {
			return err
		}
		if info.ModTime.After(c.now.Add(-c.grace())) {
			continue
		}
		switch prefix {
		case "leases/":
			l, err := c.Store.Lease(ctx, strings.TrimPrefix(info.Key, prefix))
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				return err
			}
			if err != nil || !l.Released && !l.Free(storage.Self()) {
				continue
			}
		case "quarantine/":
			// The mark of a blob that is still there makes it a miss.
			_, err := c.Store.Stat(ctx, "blobs/"+strings.TrimPrefix(info.Key, prefix))
			if err == nil {
				continue
			}
			if !errors.Is(err, storage.ErrNotFound) {
				return err
			}
		}
		*into = append(*into, info)
	}
	return nil
}

// group counts objects, or deletes those that are still of that age.
func (c *collection) group(ctx context.Context, what string, age time.Duration, objects []storage.Info) error {
	sum := Group{What: what}
	var mu sync.Mutex
	err := forEach(ctx, objects, func(o storage.Info) error {
		if c.Delete {
			if err := c.sweep.Delete(ctx, o.Key, age); errors.Is(err, storage.ErrYoung) {
				return nil
			} else if err != nil {
				return err
			}
		}
		mu.Lock()
		defer mu.Unlock()
		sum.Objects++
		sum.Bytes += o.Size
		return nil
	})
	c.report.Groups = append(c.report.Groups, sum)
	return err
}

// forEach calls do with each element, several at once, and stops at the first
// failure.
func forEach[T any](ctx context.Context, all []T, do func(T) error) error {
	group, going := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for _, x := range all {
		if going.Err() != nil {
			break
		}
		group.Go(func() error { return do(x) })
	}
	return cmp.Or(group.Wait(), context.Cause(ctx))
}
