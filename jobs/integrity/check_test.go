package integrity_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/gc"
	"github.com/sprint-ml/sprint/jobs/integrity"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

func TestMain(m *testing.M) { os.Exit(jobstest.Main(m, nil)) }

// plan has checkpoints, and a release with an alias at its end.
const plan = `name: toys
stages:
  - {name: make}
  - {name: refine, with: {times: 3, keep: true}}
  - {name: join}
  - {name: slow}
  - {name: ship}
`

// published asks the kinds of a registry.
func published(r stages.Registry) func(storage.Manifest) (models.Publication, bool) {
	return func(m storage.Manifest) (p models.Publication, ok bool) {
		if k, known := r.Kind(m.Kind); known && k.Published != nil {
			return k.Published(m)
		}
		return p, false
	}
}

// finished is a bench whose plan ran, twice, with a pin and a second alias.
func finished(t *testing.T) *jobstest.Bench {
	t.Helper()
	b := jobstest.NewBench(t, plan)
	res := b.MustRun(0, "succeeded succeeded succeeded succeeded succeeded")
	b.MustRun(0, "cached cached cached cached cached")
	for _, err := range []error{runs.SetPin(b.Ctx, b.Store, *res.Run, true, ""), models.In(b.Store).SetAlias(b.Ctx, "toy", "champion", 1)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func whole(t *testing.T, b *jobstest.Bench, s *storage.Store, read integrity.Subset) *integrity.Report {
	t.Helper()
	r, err := integrity.Checker{Store: s, Read: read, Published: published(b.Registry), StoreFlag: "here"}.Whole(b.Ctx)
	if err != nil {
		t.Fatal(err)
	}
	if r.Whole != (len(r.Faults) == 0) {
		t.Errorf("whole is %v of %d faults", r.Whole, len(r.Faults))
	}
	return r
}

// demanded reports whether the loss of an object is a fault. The others may be gone:
// nothing names leases, checkpoints and the records of runs.
func demanded(key string) bool {
	return strings.HasPrefix(key, "blobs/") || strings.HasPrefix(key, "manifests/") || strings.HasSuffix(key, "/plan.yaml") || strings.HasSuffix(key, "/resolved.json") ||
		strings.HasPrefix(key, "models/") && key != "models/toy/aliases/champion"
}

// TestMissing deletes each object of a store: what manifests, releases, aliases,
// checkpoints and runs name is missed, and nothing else.
func TestMissing(t *testing.T) {
	b := finished(t)
	first := whole(t, b, b.Store, integrity.Everything())
	if !first.Whole || first.Orphans.Objects != 0 || first.Read.Objects != first.Blobs.Objects+first.Copies.Objects || first.Copies.Objects != 1 || first.Records.Objects < 20 {
		t.Fatalf("an undisturbed store: %+v", first)
	}
	missed := 0
	for _, key := range b.Objects("") {
		path := filepath.Join(b.Store.Source(), filepath.FromSlash(key))
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		r := whole(t, b, b.Store, integrity.Subset{})
		switch {
		case !demanded(key) && !r.Whole:
			t.Errorf("%s is gone, which is no fault: %+v", key, r.Faults)
		case demanded(key) && (len(r.Faults) != 1 || r.Faults[0].Key != key || r.Faults[0].Problem != integrity.Missing || r.Faults[0].Repair == ""):
			t.Errorf("%s is gone; found is %+v", key, r.Faults)
		case demanded(key):
			missed++
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if missed < 20 {
		t.Errorf("only %d objects were missed", missed)
	}
}

// TestRepair: each fault says who made what is at fault, and the command that mends
// it.
func TestRepair(t *testing.T) {
	b := finished(t)
	run, key := "`sprint run PLAN --store here`", func(output string) string {
		m := manifest(t, b, "refine")
		a, _ := m.Output(output)
		key, err := storage.BlobKey(a.Digest)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	at := manifest(t, b, "ship")
	for key, want := range map[string]integrity.Fault{
		key("fine"):                            {Plan: "toys", Stage: "refine", Repair: "stage refine of plan toys makes it again: " + run},
		"models/toy/aliases/latest":            {Plan: "toys", Stage: "ship", Repair: "`sprint promote toy@1 --alias latest --store here` sets the alias anew"},
		"models/toy/1/release.json":            {Plan: "toys", Stage: "ship", Repair: "stage ship of plan toys makes it anew under the same version: " + run},
		"models/toy/1/files/model":             {Plan: "toys", Stage: "ship", Repair: "stage ship of plan toys makes it anew under the same version: " + run},
		"models/toy/1/claim":                   {Plan: "toys", Stage: "ship", Repair: "stage ship of plan toys makes it anew under the same version: `sprint run PLAN --store here --force=ship`"},
		storage.ManifestKey("ship", at.Key, 1): {Plan: "toys", Stage: "ship", Repair: "stage ship of plan toys makes it again: " + run},
	} {
		path := filepath.Join(b.Store.Source(), filepath.FromSlash(key))
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		r := whole(t, b, b.Store, integrity.Subset{})
		if len(r.Faults) != 1 || r.Faults[0].Plan != want.Plan || r.Faults[0].Stage != want.Stage || r.Faults[0].Repair != want.Repair || !slices.Equal(r.Repairs(), []string{want.Repair}) {
			t.Errorf("%s: %+v; want %+v", key, r.Faults, want)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func manifest(t *testing.T, b *jobstest.Bench, kind string) storage.Manifest {
	t.Helper()
	for m, err := range b.Store.History(b.Ctx, kind) {
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	t.Fatal("no manifest of " + kind)
	return storage.Manifest{}
}

// TestDataIsReadOnDemand: wrong bytes of the right size are found by who reads them,
// and remembered; wrong sizes by everyone.
func TestDataIsReadOnDemand(t *testing.T) {
	b := finished(t)
	blob := b.Objects("blobs/")[0]
	for key, mark := range map[string]bool{blob: true, "models/toy/1/files/model": false} {
		path := filepath.Join(b.Store.Source(), filepath.FromSlash(key))
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bad := slices.Clone(data)
		bad[0] ^= 1
		found := func(data []byte, read integrity.Subset) int {
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
			r := whole(t, b, b.Store, read)
			if len(r.Faults) > 0 && (r.Faults[0].Key != key || r.Faults[0].Problem != integrity.Damaged) {
				t.Errorf("%s: %+v", key, r.Faults)
			}
			return len(r.Faults)
		}
		if found(bad[1:], integrity.Subset{}) != 1 || found(bad, integrity.Subset{}) != 0 || found(bad, integrity.Everything()) != 1 {
			t.Errorf("%s: a wrong size is always found, wrong bytes when they are read", key)
		}
		if again := whole(t, b, b.Store, integrity.Subset{}); mark == again.Whole {
			t.Errorf("%s: after it was read the store is whole: %v", key, again.Whole)
		}
		if found(data, integrity.Everything()) != 0 {
			t.Errorf("%s is mended, and the store is not whole", key)
		}
	}
}

// TestOrphans: what nothing names is counted; if its bytes are wrong that is a fault,
// because the next writer would take them for good ones.
func TestOrphans(t *testing.T) {
	b := finished(t)
	a, err := b.Store.Put(b.Ctx, strings.NewReader("nobody's"), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Store.WriteFile(b.Ctx, "models/toy/1/files/nobodys", []byte("12")); err != nil {
		t.Fatal(err)
	}
	r := whole(t, b, b.Store, integrity.Everything())
	if want := (integrity.Count{Objects: 2, Bytes: 10}); !r.Whole || r.Orphans != want {
		t.Errorf("%+v; want %+v and a whole store", r, want)
	}
	key, err := storage.BlobKey(a.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Store.WriteFile(b.Ctx, key, []byte("somebody")); err != nil {
		t.Fatal(err)
	}
	if r = whole(t, b, b.Store, integrity.Everything()); len(r.Faults) != 1 || r.Faults[0].Key != key || !strings.Contains(r.Faults[0].Repair, "gc --yes") {
		t.Errorf("a damaged orphan: %+v", r.Faults)
	}
}

// TestEvicted: what a gc deleted on purpose is not missing, whether it did so before
// the check or while it goes on.
func TestEvicted(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	b.MustRun(0, "succeeded succeeded succeeded succeeded")
	b.Set = []string{"make.text=other"}
	b.MustRun(0, "succeeded succeeded succeeded succeeded")
	b.Age("", 48*time.Hour)
	collect := func() { b.GC(gc.Collector{KeepRuns: 1, Delete: true}) }
	during := false
	s, err := storage.Open(b.Ctx, b.Store.Source(), &storage.Options{Around: func(_ context.Context, op, key string, call func() error) error {
		if op == "list" && key == "blobs/" && !during {
			during = true
			collect()
		}
		return call()
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if r := whole(t, b, s, integrity.Everything()); !r.Whole || !during {
		t.Errorf("beside a gc: %+v", r)
	}
	if r := whole(t, b, s, integrity.Everything()); !r.Whole || r.Evicted == 0 {
		t.Errorf("after a gc: %+v", r)
	}
	// What runs again is demanded again.
	b.Set = nil
	b.MustRun(0, "succeeded succeeded succeeded succeeded")
	before := whole(t, b, s, integrity.Subset{})
	m := manifest(t, b, "make")
	for m.Generation < 2 {
		for next, err := range b.Store.History(b.Ctx, "make") {
			if err != nil {
				t.Fatal(err)
			}
			if next.Generation > m.Generation {
				m = next
			}
		}
	}
	key, err := storage.BlobKey(m.Outputs[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Store.Sweep(b.Ctx, key); err != nil {
		t.Fatal(err)
	}
	if r := whole(t, b, s, integrity.Subset{}); !before.Whole || len(r.Faults) != 1 || r.Faults[0].Key != key {
		t.Errorf("after another run: %+v, then %+v", before, r)
	}
}

// TestArtifacts: of some artifacts those that are damaged or gone are named, each
// file of a tree by itself.
func TestArtifacts(t *testing.T) {
	b := finished(t)
	one, err := b.Store.Put(b.Ctx, strings.NewReader("one"), "")
	if err != nil {
		t.Fatal(err)
	}
	two, err := b.Store.Put(b.Ctx, strings.NewReader("two"), "")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := b.Store.PutTree(b.Ctx, []storage.TreeEntry{{Path: "a", Digest: one.Digest, Size: 3}, {Path: "b/c", Digest: two.Digest, Size: 3}})
	if err != nil {
		t.Fatal(err)
	}
	named := []integrity.Named{{Name: "t", Artifact: tree}, {Name: "x", Artifact: one}}
	check := func(want ...string) {
		t.Helper()
		r, err := integrity.Checker{Store: b.Store, Read: integrity.Everything()}.Artifacts(b.Ctx, named)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range r.Faults {
			got = append(got, f.Name+" "+string(f.Problem))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) || r.Blobs.Objects+len(got) != 4 && len(want) != 1 {
			t.Errorf("found %q in %+v, want %q", got, r, want)
		}
	}
	check()
	key, err := storage.BlobKey(one.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Store.WriteFile(b.Ctx, key, []byte("eno")); err != nil {
		t.Fatal(err)
	}
	check("t/a damaged", "x damaged")
	if err := b.Store.Sweep(b.Ctx, key); err != nil {
		t.Fatal(err)
	}
	check("t/a missing", "x missing")
	named = named[:1]
	if key, err = storage.BlobKey(tree.Digest); err != nil {
		t.Fatal(err)
	}
	if err := b.Store.Sweep(b.Ctx, key); err != nil {
		t.Fatal(err)
	}
	check("t missing")
}

// TestListing: a record that lists other files than its tree is damaged, by a check of the
// store and of the release; the publish that is told of makes it anew.
func TestListing(t *testing.T) {
	b := finished(t)
	r, err := models.In(b.Store).ReleaseAt(b.Ctx, "toy", 1)
	if err != nil || len(r.Files) != 1 {
		t.Fatal(r.Files, err)
	}
	forged := r
	forged.Files = []storage.TreeEntry{}
	body, err := json.Marshal(forged)
	if err != nil {
		t.Fatal(err)
	}
	const key = "models/toy/1/release.json"
	_, at, err := b.Store.Read(b.Ctx, key)
	if err == nil {
		_, err = b.Store.Swap(b.Ctx, key, at, body)
	}
	if err != nil {
		t.Fatal(err)
	}
	of, err := integrity.Checker{Store: b.Store, Read: integrity.Everything(), StoreFlag: "here"}.Release(b.Ctx, forged)
	if err != nil {
		t.Fatal(err)
	}
	for what, r := range map[string]*integrity.Report{"the release": of, "the store": whole(t, b, b.Store, integrity.Everything())} {
		if len(r.Faults) != 1 || r.Faults[0].Key != key || r.Faults[0].Problem != integrity.Damaged || r.Faults[0].Error != "it lists other files than its tree: model" || !strings.Contains(r.Faults[0].Repair, "--force=") {
			t.Errorf("%s: %+v", what, r.Faults)
		}
	}
	tree := storage.Artifact{Digest: r.Digest, Media: storage.MediaTree}
	if now, err := models.In(b.Store).Publish(b.Ctx, "toy", tree, r.Meta); err != nil || now.Version != 1 || len(now.Files) != 1 {
		t.Errorf("published again: %+v, %v", now, err)
	}
	if r := whole(t, b, b.Store, integrity.Everything()); !r.Whole {
		t.Errorf("published again: %+v", r.Faults)
	}
}
