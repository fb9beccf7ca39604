package gc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	return inOrder(ctx, c.writeTombstones, c.collectOther, c.deleteBlobs)
}

// writeTombstones writes the tombstones of the manifests whose outputs go. It comes
// before the outputs are deleted: a reader in between sees one of the two.
func (c *collection) writeTombstones(ctx context.Context) error {
	tombstones := map[string]storage.Tombstone{}
	for m, err := range c.Store.History(ctx, "") {
		if err != nil {
			return err
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
		if hit {
			tombstones[m.Kind+"/"+m.Key] = storage.Tombstone{Kind: m.Kind, Key: m.Key, Generation: m.Generation, Evicted: c.now.UTC(), Bytes: bytes}
		}
	}
	return forEach(ctx, slices.Collect(maps.Values(tombstones)), func(t storage.Tombstone) error { return c.Store.Bury(ctx, t) })
}

// deleteBlobs deletes the blobs.
func (c *collection) deleteBlobs(ctx context.Context) error {
	group := &c.report.Groups[0]
	*group = Group{What: group.What}
	var mu sync.Mutex
	type blob struct {
		digest string
		size   int64
	}
	var all []blob
	for d, size := range c.blobs {
		all = append(all, blob{fmt.Sprintf("sha256:%x", d[:]), size})
	}
	return forEach(ctx, all, func(b blob) error {
		key, err := storage.BlobKey(b.digest)
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
			group.Bytes += b.size
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
		for _, part := range []string{"attempts/", "events/", "logs/", "uses", "used/", "cancel", "report.html"} {
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
	for _, prefix := range []string{"probe/", "leases/", "quarantine/"} {
		if err := c.stale(ctx, prefix, &records); err != nil {
			return err
		}
	}
	for _, x := range []struct {
		what    string
		age     time.Duration
		objects []storage.Info
	}{{"checkpoints", c.OlderThan, c.old}, {"logs of old runs", 0, left}, {"leases and marks", c.grace(), records}} {
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
