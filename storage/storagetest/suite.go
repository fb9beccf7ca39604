// Package storagetest is the conformance suite of stores: what every driver
// must keep, tried against a real one. A driver's own test is a function that
// opens an empty store and a call of RunStore.
package storagetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/probe"
)

// Harness opens stores for the suite.
type Harness struct {
	// Open opens a new, empty store, closed when the test ends. Tests that run side
	// by side call it.
	Open func(t testing.TB, o *storage.Options) *storage.Store
	// Flaws names the probes that this server is known to fail. The suite then
	// demands that package probe says so.
	Flaws []string
}

// URLs is a harness of the stores whose URLs next gives.
func URLs(next func() string) Harness {
	return Harness{Open: func(t testing.TB, o *storage.Options) *storage.Store {
		t.Helper()
		return open(t, next(), o)
	}}
}

func open(t testing.TB, url string, o *storage.Options) *storage.Store {
	t.Helper()
	s, err := storage.Open(context.Background(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// second opens the same store once more, as another process would; a store of
// this process only is its own second.
func second(t testing.TB, s *storage.Store) *storage.Store {
	if s.Local() {
		return s
	}
	return open(t, s.Source(), &storage.Options{Keys: s.Keys()})
}

// RunStore runs the suite. What moves much data comes last, side by side.
func RunStore(t *testing.T, h Harness) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"Blobs", testBlobs},
		{"BlobWhole", testBlobWhole},
		{"BlobCorrupt", testBlobCorrupt},
		{"BlobRepair", testBlobRepair},
		{"BlobSize", testBlobSize},
		{"BlobCancel", testBlobCancel},
		{"Address", testAddress},
		{"Large", testLarge},
		{"Changed", testChanged},
		{"TreeResume", testTreeResume},
		{"Keys", testKeys},
		{"List", testList},
		{"Create", testCreate},
		{"CreateRace", testCreateRace},
		{"CreateLostReply", testCreateLostReply},
		{"Swap", testSwap},
		{"SwapRace", testSwapRace},
		{"RecordCorrupt", testRecordCorrupt},
		{"Retry", testRetry},
		{"Trees", testTrees},
		{"Manifests", testManifests},
		{"ManifestRace", testManifestRace},
		{"Checkpoints", testCheckpoints},
		{"Leases", testLeases},
		{"LeaseLost", testLeaseLost},
		{"LeaseAwaited", testLeaseAwaited},
		{"LeaseBroken", testLeaseBroken},
		{"LeaseRace", testLeaseRace},
		{"Releases", testReleases},
		{"ReleaseRepair", testReleaseRepair},
		{"ReleaseRace", testReleaseRace},
		{"Aliases", testAliases},
		{"History", testHistory},
		{"HistoryRace", testHistoryRace},
		{"Rollback", testRollback},
		{"Numbers", testNumbers},
		{"BrokenRelease", testBrokenRelease},
		{"Signed", testSigned},
		{"Forged", testForged},
		{"KeyRotation", testKeyRotation},
		{"Keyless", testKeyless},
		{"Probe", testProbe},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, h) })
	}
}

// ctx ends with the test, well before the test binary is killed for its time.
func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func random(seed uint64, n int) []byte {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	data := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(data) // never fails
	return data
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// want demands an error of a class that names a text, so that messages stay
// useful.
func want(t testing.TB, err, class error, names ...string) {
	t.Helper()
	if !errors.Is(err, class) {
		t.Fatalf("error %v; want one that is %q", err, class)
	}
	for _, n := range names {
		if !strings.Contains(err.Error(), n) {
			t.Errorf("error %q does not name %q", err, n)
		}
	}
}

func put(t testing.TB, s *storage.Store, data []byte) storage.Artifact {
	t.Helper()
	a, err := s.Put(testContext(t), bytes.NewReader(data), "text/plain")
	check(t, err)
	return a
}

// PutFolder stores the files of a folder and their listing, as a stage does that
// writes a tree.
func PutFolder(ctx context.Context, s *storage.Store, dir string) (storage.Artifact, error) {
	var entries []storage.TreeEntry
	err := fs.WalkDir(os.DirFS(dir), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(filepath.Join(dir, p))
		if err != nil {
			return err
		}
		defer f.Close()
		a, err := s.Put(ctx, f, "")
		entries = append(entries, storage.TreeEntry{Path: p, Digest: a.Digest, Size: a.Size})
		return err
	})
	if err != nil {
		return storage.Artifact{}, err
	}
	return s.PutTree(ctx, entries)
}

func get(ctx context.Context, s *storage.Store, digest string, size int64) ([]byte, error) {
	r, err := s.Get(ctx, digest, size)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// keys lists a store, but for the record that says that it is signed.
func keys(t testing.TB, s *storage.Store, prefix string) []string {
	t.Helper()
	var out []string
	for info, err := range s.List(testContext(t), prefix) {
		check(t, err)
		if info.Key != "signed" {
			out = append(out, info.Key)
		}
	}
	return out
}

func testKeys(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	for _, key := range []string{"", "/a", "a/", "a//b", "../a", "a/../b", "./a", ".hidden", "a/.hidden", "A", "ä", "a b", "a\\b", "a\x00", strings.Repeat("k", 513)} {
		want(t, s.WriteFile(ctx, key, []byte("x")), storage.ErrInvalid)
		want(t, s.Create(ctx, key, []byte("x")), storage.ErrInvalid)
		_, err := s.Stat(ctx, key)
		want(t, err, storage.ErrInvalid)
	}
	long := strings.Repeat("k", 200) + "/" + strings.Repeat("k", 200)
	for _, key := range []string{"a", "a.b_c-d/0", long} {
		check(t, s.WriteFile(ctx, key, []byte("x")))
	}
	if got := keys(t, s, ""); !slices.Equal(got, []string{"a", "a.b_c-d/0", long}) {
		t.Errorf("listed %q", got)
	}
}

func testList(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	var all []string
	for i := range 23 {
		for _, f := range []string{"l/a-b", "l/a", "l/a.b/c", "m"} {
			all = append(all, fmt.Sprintf("%s/%03d", f, i))
		}
	}
	all = append(all, "l/a0") // sorts after "l/a/..."
	for _, k := range all {
		check(t, s.WriteFile(ctx, k, []byte(k)))
	}
	slices.Sort(all)
	if got := keys(t, s, ""); !slices.Equal(got, all) {
		t.Errorf("listed %q, want %q", got, all)
	}
	below := slices.DeleteFunc(slices.Clone(all), func(k string) bool { return !strings.HasPrefix(k, "l/a/0") })
	if got := keys(t, s, "l/a/0"); !slices.Equal(got, below) {
		t.Errorf("listed %q, want %q", got, below)
	}
	// More than a page of 1000.
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := i; k < 1003; k += 8 {
				if err := s.WriteFile(ctx, fmt.Sprintf("page/%04d", k), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := keys(t, s, "page/"); len(got) != 1003 || got[1002] != "page/1002" || !slices.IsSorted(got) {
		t.Errorf("listed %d of 1003", len(got))
	}
	if got := keys(t, s, "none/"); len(got) != 0 {
		t.Errorf("listed %q below an empty prefix", got)
	}
	var folders []string
	for f, err := range s.Folders(ctx, "l/") {
		check(t, err)
		folders = append(folders, f)
	}
	slices.Sort(folders)
	if !slices.Equal(folders, []string{"a", "a-b", "a.b"}) {
		t.Errorf("folders %q", folders)
	}
	for info, err := range s.List(ctx, "m/007") {
		check(t, err)
		if info.Size != int64(len("m/007")) || time.Since(info.ModTime).Abs() > time.Hour {
			t.Errorf("listed as %+v", info)
		}
	}
	check(t, s.Sweep(ctx, "m/007"))
	check(t, s.Sweep(ctx, "m/007")) // a missing object is no error
	_, err := s.Stat(ctx, "m/007")
	want(t, err, storage.ErrNotFound, "m/007")
}

func testRetry(t *testing.T, h Harness) {
	ctx := testContext(t)
	var calls, failures int
	var fault error
	s := h.Open(t, &storage.Options{Backoff: time.Microsecond, Tries: 4, Around: func(_ context.Context, _, _ string, call func() error) error {
		calls++
		if failures > 0 {
			failures--
			return fault
		}
		return call()
	}})
	check(t, s.WriteFile(ctx, "retry/k", nil)) // the first write asks whether the store is signed
	for _, c := range []struct {
		name  string
		fault error
		times int
		class error
		calls int
	}{
		{"three temporary failures", errors.New("connection reset"), 3, nil, 4},
		{"four temporary failures", errors.New("connection reset"), 4, storage.ErrTransient, 4},
		{"no right", fmt.Errorf("seen: %w", storage.ErrDenied), 9, storage.ErrTransient, 4}, // only drivers classify
		{"classified", &storage.Error{Op: "write", Key: "k", Class: storage.ErrDenied}, 9, storage.ErrDenied, 1},
		{"cancelled", context.Canceled, 9, context.Canceled, 1},
	} {
		calls, failures, fault = 0, c.times, c.fault
		err := s.WriteFile(ctx, "retry/k", []byte("x"))
		if c.class == nil && err != nil || c.class != nil && !errors.Is(err, c.class) || calls != c.calls {
			t.Errorf("%s: %v after %d tries; want %v after %d", c.name, err, calls, c.class, c.calls)
		}
		failures = 0
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	calls = 0
	if err := s.WriteFile(ended, "retry/k", []byte("late")); !errors.Is(err, context.Canceled) || calls != 0 {
		t.Errorf("a cancelled caller changed the store: %v, %d operations", err, calls)
	}
}

func testProbe(t *testing.T, h Harness) {
	t.Parallel()
	ctx, s := testContext(t), h.Open(t, nil)
	check(t, probe.Quick(ctx, s.Bucket))
	results := probe.Run(ctx, s.Bucket)
	if len(results) != 7 {
		t.Errorf("%d probes, want 7", len(results))
	}
	for _, r := range results {
		if flawed := slices.Contains(h.Flaws, r.Name); flawed != (r.Err != nil) {
			t.Errorf("probe %q: %v; known flaw: %v", r.Name, r.Err, flawed)
		}
	}
	if left := keys(t, s, "probe/"); len(left) != 0 {
		t.Errorf("probes left %q", left)
	}
}
