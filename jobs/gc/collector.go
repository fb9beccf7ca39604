// Package gc deletes from a store what nobody needs any more, beside runs that go
// on. It works in two steps: mark.go finds what runs, releases and checkpoints
// reach; sweep.go deletes the rest under the store's sweep record, after it has
// marked again what came meanwhile.
package gc

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/storage"
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

// Run looks at the whole store and, with Delete, deletes.
func (o Collector) Run(ctx context.Context) (*Report, error) {
	if o.Settle == 0 {
		o.Settle = storage.SweepSettle
	}
	c := &collection{
		Collector: o, now: time.Now(), report: &Report{Deleted: o.Delete}, blobs: map[digest32]int64{},
		keep: map[digest32]bool{}, keys: map[string]bool{}, makes: map[digest32]made{},
		trees: map[digest32]bool{}, done: map[digest32]bool{}, runs: map[string]*runMark{}, spaces: map[string]bool{},
	}
	c.cutoff = c.now.Add(-o.OlderThan)
	if err := inOrder(ctx, c.chooseRuns, c.markHistory, c.markAll, c.findBlobs); err != nil {
		return nil, err
	}
	if !o.Delete {
		return c.report, c.collectOther(ctx)
	}
	return c.report, c.deleteAll(ctx)
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

// collection is one run of a Collector.
type collection struct {
	Collector
	now    time.Time
	cutoff time.Time
	report *Report
	sweep  *storage.Sweeper
	blobs  map[digest32]int64 // candidates with their sizes

	// What runs, releases and checkpoints need.
	keep  map[digest32]bool
	keys  map[string]bool     // kind/key of runs that are kept
	makes map[digest32]made   // the newest manifest that made a digest
	trees map[digest32]bool   // digests that are trees
	done  map[digest32]bool   // trees whose files are kept already
	runs  map[string]*runMark // all runs of the store
	old   []storage.Info      // checkpoints that nobody will continue from
	marks []string            // marks that nobody relies on any more

	spaces  map[string]bool // embeddings that kept runs used
	vectors []storage.Info  // records of embeddings that nobody used lately
}

// inOrder takes steps until one fails.
func inOrder(ctx context.Context, steps ...func(context.Context) error) error {
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// markAll marks all that is reached beside what chooseRuns and markHistory found.
func (c *collection) markAll(ctx context.Context) error {
	return inOrder(ctx, c.markReleases, c.markCheckpoints, c.markEmbeddings, c.markFound, c.markTreeFiles)
}

// grace is the least age of records that a gc deletes.
func (c *collection) grace() time.Duration { return max(c.OlderThan, storage.SweepAge) }

// findBlobs lists the blobs that nothing reaches.
func (c *collection) findBlobs(ctx context.Context) error {
	found := Group{What: "artifacts"}
	c.report.Kept.What = "artifacts"
	for info, err := range c.Store.List(ctx, "blobs/sha256/") {
		if err != nil {
			return err
		}
		d, ok := digestOf("sha256:" + info.Key[strings.LastIndexByte(info.Key, '/')+1:])
		if !ok || c.keep[d] || info.ModTime.After(c.cutoff) {
			c.report.Kept.Objects++
			c.report.Kept.Bytes += info.Size
			continue
		}
		c.blobs[d] = info.Size
		found.Objects++
		found.Bytes += info.Size
	}
	c.report.Groups = append(c.report.Groups, found)
	for _, id := range slices.Sorted(maps.Keys(c.runs)) {
		run := c.runs[id]
		if run.kept {
			c.report.Runs++
		} else {
			c.report.Forgotten = append(c.report.Forgotten, id)
		}
		if run.live {
			c.report.Live = append(c.report.Live, id)
		}
		if run.pinned {
			c.report.Pinned = append(c.report.Pinned, id)
		}
	}
	return nil
}
