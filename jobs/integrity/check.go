// Package integrity says what of a store is missing, damaged, or has something else
// in its place, and what mends it. It changes nothing but marks: a blob whose bytes
// prove wrong is marked by its reader, so that the next writer of it replaces it.
//
// A check reads every record to its end. What the records name must be there: blobs
// and copies of released files are listed once and compared by size, and as many of
// them as asked for are read. In memory it holds some 120 bytes for each blob that is
// named, never the bytes of one.
//
//	check.go    a check of a store or of some artifacts, its report
//	records.go  records, and what manifests, checkpoints and runs name
//	models.go   releases, the copies of their files, aliases
//	history.go  past moves of aliases
//	blobs.go    blobs: what is named, what is there, what is orphaned
//	place.go    what lies in the place of an object and is no file
//	foreign.go  objects with names that sprint gives to none
//	subset.go   which bytes are read
//	repair.go   what mends a fault
package integrity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"golang.org/x/sync/errgroup"
)

// Checker checks stores.
type Checker struct {
	Store *storage.Store
	// Read says how many of the blobs and the copies of released files are read to
	// their end; of the others only presence and size are checked.
	Read Subset
	// Published says what a manifest's work left in the registry of models; nil:
	// nobody knows.
	Published func(storage.Manifest) (models.Publication, bool)
	// StoreFlag is what --store must say in the command lines that mend; empty if the
	// store is found without it.
	StoreFlag string
	// Progress, if not nil, is told now and then how far the check is, from one
	// goroutine at a time.
	Progress func(Progress)
}

// Progress is how far a check is.
type Progress struct {
	Records, Blobs Count
	Read           Count // of the blobs and copies
	Faults         int
}

// Count counts objects and their bytes.
type Count struct {
	Objects int   `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

func (c *Count) add(bytes int64) {
	c.Objects++
	c.Bytes += bytes
}

// Problem is what is wrong with an object.
type Problem string

// The problems.
const (
	Missing    Problem = "missing"
	Damaged    Problem = "damaged"
	Obstructed Problem = "obstructed" // something that is no file lies in its place
	Untrusted  Problem = "untrusted"  // a record that no key of the store vouches for
	Foreign    Problem = "foreign"    // an object with a name that sprint gives to none
)

// Fault is one object that is not as it should be.
type Fault struct {
	Key     string  `json:"key"`
	Problem Problem `json:"problem"`
	Error   string  `json:"error"`
	// Name is what the check was asked about, if that was one artifact of several.
	Name string `json:"name,omitempty"`
	// NamedBy is the key of a record that names the object.
	NamedBy string `json:"named_by,omitempty"`
	// Plan, Stage and Run made it, where that is known.
	Plan  string `json:"plan,omitempty"`
	Stage string `json:"stage,omitempty"`
	Run   string `json:"run,omitempty"`
	// Repair says what mends it.
	Repair string `json:"repair,omitempty"`
}

// listed is how many faults a report lists: of a store that lost all its blobs the
// first ones tell enough.
const listed = 10_000

// Report says what a check found.
type Report struct {
	Whole  bool    `json:"whole"`
	Faults []Fault `json:"faults"`
	// Unlisted is how many faults there are beyond those listed.
	Unlisted  int   `json:"unlisted,omitempty"`
	Records   Count `json:"records"`   // read to their end
	Blobs     Count `json:"blobs"`     // that are named, and there
	Copies    Count `json:"copies"`    // of released files
	Read      Count `json:"read"`      // of blobs and copies, to their end
	Orphans   Count `json:"orphans"`   // blobs and files of releases that nothing names
	Evicted   int   `json:"evicted"`   // manifests whose outputs a gc deleted
	Unvouched int   `json:"unvouched"` // logs, journals, reports and marks: nothing rests on them
	Aside     int   `json:"aside"`     // what was set aside from the place of an object
}

// check is one run of a Checker.
type check struct {
	Checker
	sampler *sampler // of blobs
	copies  *sampler // of released files
	blobs   *references
	place   map[string]fs.FileMode // what is no file, by key

	mu      sync.Mutex
	report  *Report
	faulty  map[string]bool // keys of faults
	told    time.Time       // when Progress was told last
	evicted map[workID]int  // the newest generation whose outputs a gc deleted
	done    map[workID]bool // keys of all manifests
	models  registry
	// unnoticed are the keys of faults that a run of the plan does not see by itself.
	unnoticed map[string]bool
}

func (o Checker) begin() *check {
	return &check{
		Checker: o, copies: newSampler(o.Read, 0), blobs: newReferences(), place: map[string]fs.FileMode{},
		report: &Report{Faults: []Fault{}}, faulty: map[string]bool{}, evicted: map[workID]int{}, done: map[workID]bool{},
		models: newRegistry(), unnoticed: map[string]bool{},
	}
}

// Whole checks the whole store. The error says why it could not be done; what is
// wrong with the store is in the report.
func (o Checker) Whole(ctx context.Context) (*Report, error) {
	c := o.begin()
	for _, step := range []func(context.Context) error{
		c.findIrregular, c.readTombstones, c.readManifests, c.readCheckpoints, c.readModels, c.checkModels, c.readRuns,
		c.readOther, c.readTrees, c.checkBlobs, c.findMissing, c.checkPlaces,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return c.end(ctx)
}

// Named is an artifact with the name by which a report calls it, and what made it if
// that is known.
type Named struct {
	Name       string
	Stage, Run string
	storage.Artifact
}

// Artifacts checks artifacts, with all files of those that are trees.
func (o Checker) Artifacts(ctx context.Context, all []Named) (*Report, error) {
	c := o.begin()
	if err := c.artifacts(ctx, all); err != nil {
		return nil, err
	}
	return c.end(ctx)
}

func (c *check) artifacts(ctx context.Context, all []Named) error {
	var files []Named
	for _, a := range all {
		files = append(files, a)
		if a.Media != storage.MediaTree {
			continue
		}
		entries, err := c.Store.Tree(ctx, a.Digest)
		if err != nil && !storage.MissingOrDamaged(err) { // else it is found below
			return err
		}
		for _, e := range entries {
			files = append(files, Named{a.Name + "/" + e.Path, a.Stage, a.Run, storage.Artifact{Digest: e.Digest, Size: e.Size}})
		}
	}
	c.sampler = newSampler(c.Read, len(files))
	return forEach(ctx, reading, slices.Values(files), func(ctx context.Context, f Named) error {
		read, err := c.checkBlob(ctx, f.Digest, f.Size)
		if storage.MissingOrDamaged(err) {
			key, _ := storage.BlobKey(f.Digest) // else the error is another one
			c.fault(Fault{Key: key, Name: f.Name, Stage: f.Stage, Run: f.Run}, err)
			return nil
		}
		if err == nil {
			c.count(func(r *Report) {
				r.Blobs.add(f.Size)
				if read {
					r.Read.add(f.Size)
				}
			})
		}
		return err
	})
}

// Release checks a release: its record and claim, the copies of its files, and the
// blobs that they are copies of.
func (o Checker) Release(ctx context.Context, r models.Release) (*Report, error) {
	c := o.begin()
	var folder []storage.Info
	for info, err := range c.list(ctx, releaseFolder(r.Name, r.Version)) {
		if err != nil {
			return nil, err
		}
		folder = append(folder, info)
	}
	if err := c.readRelease(ctx, release{r.Name, r.Version}, folder); err != nil {
		return nil, err
	}
	tree := Named{Name: fmt.Sprintf("%s@%d", r.Name, r.Version), Artifact: storage.Artifact{Digest: r.Digest, Size: -1, Media: storage.MediaTree}}
	if err := c.artifacts(ctx, []Named{tree}); err != nil {
		return nil, err
	}
	return c.end(ctx)
}

// end completes what was found, side by side, and sorts it.
func (c *check) end(ctx context.Context) (*Report, error) {
	if err := c.repairAll(ctx); err != nil {
		return nil, err
	}
	slices.SortFunc(c.report.Faults, func(a, b Fault) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Name, b.Name)) })
	c.report.Whole = len(c.report.Faults) == 0
	return c.report, nil
}

// count changes the report and tells the progress.
func (c *check) count(change func(*Report)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c.report)
	if now := time.Now(); c.Progress != nil && now.Sub(c.told) > 100*time.Millisecond {
		c.told = now
		r := c.report
		c.Progress(Progress{Records: r.Records, Blobs: Count{r.Blobs.Objects + r.Orphans.Objects, r.Blobs.Bytes + r.Orphans.Bytes}, Read: r.Read, Faults: len(r.Faults) + r.Unlisted})
	}
}

// fault records what is wrong with an object, once for each object and name.
func (c *check) fault(f Fault, err error) {
	if f.Problem == "" {
		f.Problem = Damaged
		switch {
		case errors.Is(err, storage.ErrNotFound):
			f.Problem = Missing
		case errors.Is(err, storage.ErrUntrusted):
			f.Problem = Untrusted
		}
	}
	f.Error = err.Error()
	if stored, ok := errors.AsType[*storage.Error](err); ok {
		f.Error = stored.Class.Error()
		if stored.Err != nil {
			f.Error = stored.Err.Error()
		}
		if f.Problem == Missing && stored.Err != nil { // all that a missing object has to say
			f.Problem = Obstructed
		}
	}
	if mode, ok := c.place[f.Key]; ok {
		f.Problem, f.Error = Obstructed, "in its place is "+describe(mode)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := f.Key + "\x00" + f.Name; c.faulty[known] {
		return
	} else if len(c.report.Faults) < listed {
		c.faulty[known] = true
		c.report.Faults = append(c.report.Faults, f)
		return
	}
	c.report.Unlisted++
}

// What is done at once: a store far away answers each slowly.
const (
	asking  = 32
	reading = 16
	parsing = 4 // listings of trees, which may be big
)

// forEach calls do with each element, n at once, and stops at the first failure.
func forEach[T any](ctx context.Context, n int, all func(yield func(T) bool), do func(context.Context, T) error) error {
	group, going := errgroup.WithContext(ctx)
	group.SetLimit(n)
	for x := range all {
		if going.Err() != nil {
			break
		}
		group.Go(func() error { return do(going, x) })
	}
	return cmp.Or(group.Wait(), context.Cause(ctx))
}

// eachObject calls do with each object below a prefix.
func (c *check) eachObject(ctx context.Context, prefix string, do func(context.Context, storage.Info) error) error {
	var failed error
	err := forEach(ctx, asking, func(yield func(storage.Info) bool) {
		for info, err := range c.list(ctx, prefix) {
			if err != nil {
				failed = err
				return
			}
			if !yield(info) {
				return
			}
		}
	}, do)
	return cmp.Or(err, failed)
}
