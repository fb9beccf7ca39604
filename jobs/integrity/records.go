package integrity

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// recordPrefixes are where a store has records.
var recordPrefixes = []string{"answers", "checkpoints", "embeddings", "leases", "manifests", "models", "pins", "runs", "tombstones"}

// workID is the key of work, 64 hex digits, without its text form.
type workID [32]byte

func parseWork(key string) (workID, bool) {
	d, ok := parseDigest(key)
	return workID(d), ok
}

// read counts a record that was read to its end, or records what is wrong with it.
func (c *check) read(info storage.Info, err error) error {
	switch {
	case err == nil:
		c.count(func(r *Report) { r.Records.add(info.Size) })
	case errors.Is(err, storage.ErrCorrupt), errors.Is(err, storage.ErrUntrusted):
		c.fault(Fault{Key: info.Key}, err)
	case !errors.Is(err, storage.ErrNotFound): // else a gc took it meanwhile
		return err
	}
	return nil
}

// unvouched counts an object that nothing in the store vouches for.
func (c *check) unvouched() { c.count(func(r *Report) { r.Unvouched++ }) }

// readTombstones learns which outputs a gc deleted on purpose.
func (c *check) readTombstones(ctx context.Context) error {
	return c.eachObject(ctx, "tombstones/", func(ctx context.Context, info storage.Info) error {
		parts := strings.Split(info.Key, "/")
		work, ok := parseWork(parts[len(parts)-1])
		if !ok || len(parts) != 3 {
			c.unvouched()
			return nil
		}
		t, err := c.Store.Tombstone(ctx, storage.Manifest{Kind: parts[1], Key: parts[2]})
		if err == nil {
			c.mu.Lock()
			c.evicted[work] = t.Generation
			c.mu.Unlock()
		}
		return c.read(info, err)
	})
}

// generation is one manifest of its key.
type generation struct {
	storage.Info
	work   workID
	number int
	newest bool
}

// readManifests reads all manifests. Of each key the newest alone decides: what those
// before it name is no orphan, and need not be there.
func (c *check) readManifests(ctx context.Context) error {
	var failed error
	err := forEach(ctx, asking, func(yield func(generation) bool) {
		var last generation
		for info, err := range c.list(ctx, "manifests/") {
			if err != nil {
				failed = err
				return
			}
			parts := strings.Split(info.Key, "/")
			work, ok := parseWork(parts[min(2, len(parts)-1)])
			if !ok || len(parts) != 4 {
				c.unvouched()
				continue
			}
			number, ok := storage.ParseGeneration(parts[3])
			if !ok {
				c.foreign(info.Key, errNumber)
				continue
			}
			last.newest = path.Dir(last.Key) != path.Dir(info.Key)
			if last.Key != "" && !yield(last) {
				return
			}
			last = generation{Info: info, work: work, number: number}
			c.mu.Lock()
			c.done[work] = true
			c.mu.Unlock()
		}
		if last.newest = true; last.Key != "" {
			yield(last)
		}
	}, c.readManifest)
	return errors.Join(err, failed)
}

func (c *check) readManifest(ctx context.Context, g generation) error {
	m, err := c.Store.ManifestAt(ctx, g.Key)
	if errors.Is(err, storage.ErrCorrupt) && !g.newest {
		c.unvouched()
		return nil
	}
	if failed := c.read(g.Info, err); err != nil {
		return failed
	}
	c.mu.Lock()
	evicted := c.evicted[g.work] >= g.number
	c.mu.Unlock()
	if evicted && g.newest {
		c.count(func(r *Report) { r.Evicted++ })
	}
	c.addAll(g.Key, g.newest && !evicted, m.Outputs)
	if c.Published != nil && g.newest {
		if p, ok := c.Published(m); ok {
			c.mu.Lock()
			c.models.published = append(c.models.published, publication{p, g.Key})
			c.mu.Unlock()
		}
	}
	return nil
}

func (c *check) readCheckpoints(ctx context.Context) error {
	return c.eachObject(ctx, "checkpoints/", func(ctx context.Context, info storage.Info) error {
		if strings.Count(info.Key, "/") != 3 {
			c.unvouched()
			return nil
		}
		entries, err := c.Store.CheckpointFiles(ctx, info.Key)
		if err == nil {
			c.addAll(info.Key, true, files(entries))
		}
		return c.read(info, err)
	})
}

// readOther reads the records that name no other object.
func (c *check) readOther(ctx context.Context) error {
	err := c.eachObject(ctx, "leases/", func(ctx context.Context, info storage.Info) error {
		l, err := c.Store.Lease(ctx, strings.TrimPrefix(info.Key, "leases/"))
		if err == nil {
			err = l.Err
		}
		return c.read(info, err)
	})
	for _, prefix := range []string{"pins/", "answers/", "embeddings/", "signed"} {
		err = errors.Join(err, c.eachObject(ctx, prefix, func(ctx context.Context, info storage.Info) error {
			_, _, err := c.Store.Read(ctx, info.Key)
			return c.read(info, err)
		}))
	}
	if err != nil {
		return err
	}
	for folder, err := range c.Store.Bucket.Folders(ctx, "") {
		if err != nil {
			return err
		}
		if folder == "blobs" || slices.Contains(recordPrefixes, folder) {
			continue
		}
		for _, err := range c.Store.Bucket.List(ctx, folder+"/") {
			if err != nil {
				return err
			}
			c.unvouched()
		}
	}
	return nil
}

// readRuns reads the records of all runs.
func (c *check) readRuns(ctx context.Context) error {
	return c.eachObject(ctx, "runs/", func(ctx context.Context, info storage.Info) error {
		parts := strings.SplitN(info.Key, "/", 3)
		if len(parts) < 3 {
			c.unvouched()
			return nil
		}
		run, name := parts[1], parts[2]
		switch {
		case strings.HasPrefix(name, "attempts/") && !isAttempt(name):
			c.foreign(info.Key, errNumber)
			return nil
		case name == "result.json":
			r, err := runs.LoadRecord(ctx, c.Store, run)
			if fatal := c.read(info, err); fatal != nil || err != nil || len(r.Stages) == 0 {
				return fatal // what a damaged record says is no measure of others
			}
			return c.checkWork(ctx, run, r)
		case name == "resolved.json":
			r, err := runs.LoadResolved(ctx, c.Store, run)
			if fatal := c.read(info, err); fatal != nil || err != nil || r.PlanDigest == "" {
				return fatal
			}
			return c.readPlan(ctx, run, r.PlanDigest)
		case name == "plan.yaml": // with resolved.json, which has its digest
			return nil
		case name == "uses", name == "cancel", strings.HasPrefix(name, "used/"), strings.HasPrefix(name, "attempts/"):
			_, _, err := c.Store.Read(ctx, info.Key)
			return c.read(info, err)
		}
		c.unvouched()
		return nil
	})
}

// readPlan compares a run's copy of its plan with the digest that it resolved.
func (c *check) readPlan(ctx context.Context, run, want string) error {
	info := storage.Info{Key: runs.Key(run, "plan.yaml")}
	source, err := runs.LoadPlan(ctx, c.Store, run)
	if errors.Is(err, storage.ErrNotFound) {
		c.fault(Fault{Key: info.Key, NamedBy: runs.Key(run, "resolved.json"), Run: run}, err)
		return nil
	}
	info.Size = int64(len(source))
	if got := fmt.Sprintf("sha256:%x", sha256.Sum256(source)); err == nil && got != want {
		err = &storage.Error{Op: "read plan", Key: info.Key, Class: storage.ErrCorrupt, Err: fmt.Errorf("its digest is %s, the run resolved %s", got, want)}
	}
	return c.read(info, err)
}

// checkWork demands a manifest of each stage that a run found done or did, and of a run
// that tried any what it was going to do: no gc deletes these.
func (c *check) checkWork(ctx context.Context, run string, r runs.Record) error {
	if slices.ContainsFunc(r.Stages, func(st runs.StageResult) bool { return st.Attempt > 0 }) {
		if err := c.demand(ctx, Fault{Key: runs.Key(run, "resolved.json"), NamedBy: runs.Key(run, "result.json"), Plan: r.Plan, Run: run}); err != nil {
			return err
		}
	}
	for _, st := range r.Stages {
		work, ok := parseWork(st.Key)
		key := storage.ManifestKey(st.Kind, st.Key, 1)
		if !ok || len(st.Outputs) == 0 || !storage.ValidKey(key) {
			continue
		}
		c.mu.Lock()
		done := c.done[work]
		c.mu.Unlock()
		if done {
			continue
		}
		n, err := c.Store.Generation(ctx, st.Kind, st.Key)
		if err != nil {
			return err
		}
		if n == 0 { // else it was committed since
			c.fault(Fault{Key: key, NamedBy: runs.Key(run, "result.json"), Plan: r.Plan, Stage: st.Name, Run: run}, &storage.Error{Key: key, Class: storage.ErrNotFound})
		}
	}
	return nil
}
