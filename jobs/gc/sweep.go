package gc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
	"golang.org/x/sync/errgroup"
)

// Collector deletes from a store what no run that is kept, no release and no
// checkpoint reaches. Manifests and the records of runs stay: they are small,
// and they are what explain, diff and trace answer from.
type Collector struct {
	Store *storage.Store
	Log   *slog.Logger
	// KeepRuns is how many of the newest runs of each plan are kept.
	KeepRuns int
	// OlderThan is the grace period: younger runs and objects stay. Less than
	// storage.SweepAge is refused while a run is live.
	OlderThan time.Duration
	// Delete does it; else it is only counted.
	Delete bool
	// Settle is the wait for writers that do not know of the gc yet; 0 means
	// storage.SweepSettle.
	Settle time.Duration
}

// Group counts objects of one sort.
type Group struct {
	What    string `json:"what"`
	Objects int    `json:"objects"`
	Bytes   int64  `json:"bytes"`
}

// Report says what a gc deleted, or would.
type Report struct {
	Deleted   bool     `json:"deleted"`
	Groups    []Group  `json:"groups"`
	Kept      Group    `json:"kept"`      // artifacts that stay
	Runs      int      `json:"runs"`      // that are kept
	Live      []string `json:"live"`      // those of them that go on
	Pinned    []string `json:"pinned"`    // and those that are pinned
	Forgotten []string `json:"forgotten"` // runs whose artifacts and logs are not kept
	Spared    int      `json:"spared"`    // artifacts that were needed again meanwhile
}

// Bytes is the sum of all groups.
func (r *Report) Bytes() (n int64) {
	for _, g := range r.Groups {
		n += g.Bytes
	}
	return n
}

// gc is one such act.
type gc struct {
	Collector
	*reach
	now    time.Time
	cutoff time.Time
	blobs  map[digest32]int64 // candidates with their sizes
	report *Report
	sweep  *storage.Sweeper
	// Marks that nobody relies on any more.
	marks []string
}

// Run looks at the whole store and, with Delete, deletes.
func (o Collector) Run(ctx context.Context) (*Report, error) {
	if o.Settle == 0 {
		o.Settle = storage.SweepSettle
	}
	g := &gc{Collector: o, reach: newReach(o.Store, o.Log), now: time.Now(), blobs: map[digest32]int64{}, report: &Report{Deleted: o.Delete}}
	g.cutoff = g.now.Add(-o.OlderThan)
	if err := g.choose(ctx, o.KeepRuns, g.cutoff); err != nil {
		return nil, err
	}
	if err := g.history(ctx); err != nil {
		return nil, err
	}
	if err := g.reached(ctx); err != nil {
		return nil, err
	}
	if err := g.find(ctx); err != nil {
		return nil, err
	}
	if !o.Delete {
		return g.report, g.rest(ctx)
	}
	return g.report, g.act(ctx)
}

// reached gathers all that is reached beside what choose and history found.
func (g *gc) reached(ctx context.Context) (err error) {
	if err := g.releases(ctx); err != nil {
		return err
	}
	err = g.checkpoints(ctx, g.cutoff, func(kind, key string) (bool, error) {
		n, err := g.Store.Generation(ctx, kind, key)
		return n > 0, err
	})
	if err != nil {
		return err
	}
	if g.marks, err = g.marked(ctx, g.now.Add(-g.grace())); err != nil {
		return err
	}
	return g.files(ctx)
}

// grace is the least age of records that a gc deletes.
func (g *gc) grace() time.Duration { return max(g.OlderThan, storage.SweepAge) }

// find lists the blobs that nothing reaches.
func (g *gc) find(ctx context.Context) error {
	found := Group{What: "artifacts"}
	g.report.Kept.What = "artifacts"
	for info, err := range g.Store.List(ctx, "blobs/sha256/") {
		if err != nil {
			return err
		}
		d, ok := digestOf("sha256:" + info.Key[strings.LastIndexByte(info.Key, '/')+1:])
		if !ok || g.keep[d] || info.ModTime.After(g.cutoff) {
			g.report.Kept.Objects++
			g.report.Kept.Bytes += info.Size
			continue
		}
		g.blobs[d] = info.Size
		found.Objects++
		found.Bytes += info.Size
	}
	g.report.Groups = append(g.report.Groups, found)
	for id, run := range g.runs {
		if run.kept {
			g.report.Runs++
		}
		if run.live {
			g.report.Live = append(g.report.Live, id)
		}
		if run.pinned {
			g.report.Pinned = append(g.report.Pinned, id)
		}
	}
	g.report.Forgotten = g.forgotten()
	return nil
}

// act deletes. Nobody else does so meanwhile, and writers wait for its end.
func (g *gc) act(ctx context.Context) (err error) {
	g.sweep, err = g.Store.BeginSweep(ctx, g.Settle)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.sweep.End(context.WithoutCancel(ctx))) }()
	// Ages are told by the store's clock, where this machine's may be wrong.
	g.now = g.sweep.Now()
	g.cutoff = g.now.Add(-g.OlderThan)
	if err := g.choose(ctx, g.KeepRuns, g.cutoff); err != nil {
		return err
	}
	if g.OlderThan < storage.SweepAge {
		for _, run := range g.runs {
			if run.live {
				return &config.UsageError{Message: fmt.Sprintf("run %s is live, and what it writes is younger than --older-than", run.id), Hint: "wait for its end, or take --older-than 1h or more"}
			}
		}
	}
	if err := g.reached(ctx); err != nil {
		return err
	}
	for d := range g.blobs {
		if g.keep[d] {
			delete(g.blobs, d)
			g.report.Spared++
		}
	}
	if err := g.bury(ctx); err != nil {
		return err
	}
	// What refers to blobs goes first.
	if err := g.rest(ctx); err != nil {
		return err
	}
	return g.artifacts(ctx)
}

// bury writes the tombstones of the manifests whose outputs go, first: a reader
// in between sees one of the two.
func (g *gc) bury(ctx context.Context) error {
	graves := map[string]storage.Tombstone{}
	for m, err := range g.Store.History(ctx, "") {
		if err != nil {
			return err
		}
		var bytes int64
		hit := false
		for _, a := range m.Outputs {
			if d, ok := digestOf(a.Digest); ok {
				if size, goes := g.blobs[d]; goes {
					hit, bytes = true, bytes+size
				}
			}
		}
		if hit {
			graves[m.Kind+"/"+m.Key] = storage.Tombstone{Kind: m.Kind, Key: m.Key, Generation: m.Generation, Evicted: g.now.UTC(), Bytes: bytes}
		}
	}
	return many(ctx, slices.Collect(maps.Values(graves)), func(t storage.Tombstone) error { return g.Store.Bury(ctx, t) })
}

// artifacts deletes the blobs.
func (g *gc) artifacts(ctx context.Context) error {
	group := &g.report.Groups[0]
	*group = Group{What: group.What}
	var mu sync.Mutex
	type blob struct {
		digest string
		size   int64
	}
	var all []blob
	for d, size := range g.blobs {
		all = append(all, blob{fmt.Sprintf("sha256:%x", d[:]), size})
	}
	return many(ctx, all, func(b blob) error {
		key, err := storage.BlobKey(b.digest)
		if err != nil {
			return err
		}
		err = g.sweep.Delete(ctx, key, g.OlderThan)
		mu.Lock()
		defer mu.Unlock()
		if errors.Is(err, storage.ErrYoung) {
			g.report.Spared++
			return nil
		}
		if err == nil {
			group.Objects++
			group.Bytes += b.size
		}
		return err
	})
}

// rest counts or deletes all that is no artifact.
func (g *gc) rest(ctx context.Context) error {
	var left []storage.Info
	for _, id := range g.report.Forgotten {
		if g.runs[id].kept {
			continue // pinned meanwhile
		}
		for _, part := range []string{"attempts/", "events/", "logs/", "uses", "used/", "cancel", "report.html"} {
			for info, err := range g.Store.List(ctx, runs.Key(id, part)) {
				if err != nil {
					return err
				}
				left = append(left, info)
			}
		}
	}
	var records []storage.Info
	for _, key := range g.marks {
		records = append(records, storage.Info{Key: key})
	}
	for _, prefix := range []string{"probe/", "leases/", "quarantine/"} {
		if err := g.stale(ctx, prefix, &records); err != nil {
			return err
		}
	}
	for _, x := range []struct {
		what    string
		age     time.Duration
		objects []storage.Info
	}{{"checkpoints", g.OlderThan, g.old}, {"logs of old runs", 0, left}, {"leases and marks", g.grace(), records}} {
		if err := g.group(ctx, x.what, x.age, x.objects); err != nil {
			return err
		}
	}
	files, bytes, err := g.Store.SweepTemp(ctx, g.grace(), !g.Delete)
	if errors.Is(err, storage.ErrDenied) {
		// Listing and aborting uploads are rights of their own; what they would
		// free is not worth the rest of the gc.
		g.Log.Warn("unfinished uploads are left to the bucket's own rules", "missing", "the right to list and abort multipart uploads", "error", err)
		err = nil
	}
	if err == nil {
		g.report.Groups = append(g.report.Groups, Group{What: "temporary files", Objects: files, Bytes: bytes})
	}
	return err
}

// stale adds records below prefix that serve nobody any more.
func (g *gc) stale(ctx context.Context, prefix string, into *[]storage.Info) error {
	for info, err := range g.Store.List(ctx, prefix) {
		if err != nil {
			return err
		}
		if info.ModTime.After(g.now.Add(-g.grace())) {
			continue
		}
		switch prefix {
		case "leases/":
			l, err := g.Store.Lease(ctx, strings.TrimPrefix(info.Key, prefix))
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				return err
			}
			if err != nil || !l.Released && !l.Free(storage.Self()) {
				continue
			}
		case "quarantine/":
			// The mark of a blob that is still there makes it a miss.
			_, err := g.Store.Stat(ctx, "blobs/"+strings.TrimPrefix(info.Key, prefix))
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
func (g *gc) group(ctx context.Context, what string, age time.Duration, objects []storage.Info) error {
	sum := Group{What: what}
	var mu sync.Mutex
	err := many(ctx, objects, func(o storage.Info) error {
		if g.Delete {
			if err := g.sweep.Delete(ctx, o.Key, age); errors.Is(err, storage.ErrYoung) {
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
	g.report.Groups = append(g.report.Groups, sum)
	return err
}

// many does something with all, several at once, and stops at the first failure.
func many[T any](ctx context.Context, all []T, do func(T) error) error {
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
