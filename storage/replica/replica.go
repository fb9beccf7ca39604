// Package replica copies a store to another one, of the same kind or not: as a
// backup, or to move house. A copy may be broken off and begun again, and what it
// copies is verified as it is read.
//
//   - replica.go: what is copied and in which order
//   - object.go: one object, compared, verified and written
//   - release.go: what a release says of its files
package replica

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/sprint-ml/sprint/storage"
)

// parallel is how many objects are on their way at once.
const parallel = 16

// Options of a copy.
type Options struct {
	// Replace lets the source win where the target has another object under the
	// same name; else the target's stays.
	Replace bool
	// Progress, if not nil, is called after every object, one call at a time.
	Progress func(Report)
}

// Report says what a copy did. Counts are of objects.
type Report struct {
	Copied  int   `json:"copied"`
	Bytes   int64 `json:"bytes"` // of the copied ones
	Present int   `json:"present"`
	// Replaced of the copied ones stood in the target with another content.
	Replaced int `json:"replaced"`
	// Differing are keys that stayed as the target has them.
	Differing []string `json:"differing,omitempty"`
	// Foreign are keys that no store has: somebody's other files.
	Foreign []string `json:"foreign,omitempty"`
	// Damaged are keys that the source cannot give as they should be.
	Damaged []Damage `json:"damaged,omitempty"`
}

// Damage is an object that was not copied.
type Damage struct {
	Key    string `json:"key"`
	Reason string `json:"reason"`
}

// skipped prefixes belong to what goes on in one store: who works in it, what a
// sweep is about to delete, which stored bytes are bad, what a probe left, and that
// the records are signed, which is the first thing in a store that has a key.
var skipped = []string{"leases/", "jobs/", "kept/", "quarantine/", "probe/", "signed"}

// rank orders what names something after what it names, so that a copy that is
// broken off never has a record without its bytes.
func rank(key string) int {
	parts := strings.Split(key, "/")
	switch {
	case parts[0] == "blobs":
		return 0
	case parts[0] == "last", parts[0] == "models" && len(parts) > 2 && (parts[2] == "aliases" || parts[2] == "mirrors"):
		return 3
	case parts[0] == "models" && len(parts) > 2 && parts[2] == "history":
		return 4
	case parts[0] == "manifests", parts[0] == "checkpoints", parts[0] == "embeddings", parts[0] == "models" && parts[len(parts)-1] == "release.json":
		return 2
	}
	return 1
}

// Copy copies from into to, which may hold work already. Both may be in use: what
// came into the source after the copy began may be left out, and nothing that is
// copied names what is not. An object of the source that is damaged is not copied
// and does not end the copy; the error is about the stores.
func Copy(ctx context.Context, from, to *storage.Store, o Options) (Report, error) {
	c := &replication{from: from, to: to, o: o, releases: map[string]*release{}}
	// What names something is listed first: its bytes were there then, and the
	// listing of bytes that follows has them.
	var records [4][]string
	for info, err := range from.Bucket.List(ctx, "") {
		if err != nil {
			return c.report, err
		}
		if !storage.ValidKey(info.Key) {
			c.report.Foreign = append(c.report.Foreign, info.Key)
		} else if r := rank(info.Key); r > 1 && r < 4 && !skip(info.Key) {
			records[r] = append(records[r], info.Key)
		}
	}
	bytes := func(yield func(string, error) bool) {
		for info, err := range from.Bucket.List(ctx, "") {
			if (err != nil || rank(info.Key) < 2 && !skip(info.Key) && storage.ValidKey(info.Key)) && !yield(info.Key, err) {
				return
			}
		}
	}
	// The past of an alias is listed after the alias is copied: it is whole by then.
	past := func(yield func(string, error) bool) {
		for info, err := range from.Bucket.List(ctx, "models/") {
			if (err != nil || rank(info.Key) == 4 && storage.ValidKey(info.Key)) && !yield(info.Key, err) {
				return
			}
		}
	}
	for _, keys := range []iter.Seq2[string, error]{bytes, all(records[2]), all(records[3]), past} {
		if err := c.each(ctx, keys); err != nil {
			return c.report, err
		}
	}
	return c.report, nil
}

func skip(key string) bool {
	return slices.ContainsFunc(skipped, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
}

func all(keys []string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, k := range keys {
			if !yield(k, nil) {
				return
			}
		}
	}
}

// replication is one copy.
type replication struct {
	from, to *storage.Store
	o        Options

	mu       sync.Mutex
	releases map[string]*release // by the folder of a version
	report   Report
}

// each copies what keys yields. Nothing after it begins before all of it ended.
func (c *replication) each(ctx context.Context, keys iter.Seq2[string, error]) error {
	group, copying := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for key, err := range keys {
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		if copying.Err() != nil {
			break
		}
		group.Go(func() error { return c.object(copying, key) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// note adds to the report.
func (c *replication) note(change func(*Report)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.report)
	if c.o.Progress != nil {
		c.o.Progress(c.report)
	}
}
