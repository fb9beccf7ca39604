package storagetest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sprint-ml/sprint/storage"
)

// testLarge stores a blob of several parts, which drivers move in parallel:
// what comes back is whole, whatever is wrong with the stored one is found.
func testLarge(t *testing.T, h Harness) {
	t.Parallel()
	ctx, s := testContext(t), h.Open(t, nil)
	data := random(20, 41<<20+13)
	a := put(t, s, data)
	if a.Digest != digest(data) || a.Size != int64(len(data)) {
		t.Fatalf("%+v", a)
	}
	readTogether(t, s, a, data)
	fetchTogether(t, s, a, data)
	// Of an object that is just read in several ranges, every harm is found.
	data = slices.Clip(data[:17<<20+13])
	a = put(t, s, data)
	findDamage(t, s, a, data)
	put(t, s, data)
	if n, err := s.Has(ctx, a.Digest); err != nil || n != a.Size {
		t.Errorf("after the repair: has %d, %v", n, err)
	}
}

// readTogether lets readers share what a store may hold in memory: one is slow
// and one ends early, and all come to their end.
func readTogether(t *testing.T, s *storage.Store, a storage.Artifact, data []byte) {
	ctx := testContext(t)
	slow, err := s.Get(ctx, a.Digest, a.Size)
	check(t, err)
	early, err := s.Get(ctx, a.Digest, a.Size)
	check(t, err)
	_, err = early.Read(make([]byte, 1000))
	check(t, err)
	var wg sync.WaitGroup
	for _, size := range []int64{a.Size, a.Size, -1} {
		wg.Go(func() {
			got, err := get(ctx, s, a.Digest, size)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("size %d: read %d bytes, %v", size, len(got), err)
			}
		})
	}
	wg.Wait()
	check(t, early.Close())
	var got bytes.Buffer
	if _, err := got.ReadFrom(slow); err != nil || !bytes.Equal(got.Bytes(), data) {
		t.Errorf("the slow one read %d bytes, %v", got.Len(), err)
	}
	check(t, slow.Close())
}

// fetchTogether lets downloads into files share the same bound.
func fetchTogether(t *testing.T, s *storage.Store, a storage.Artifact, data []byte) {
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if got, err := fetchOne(t, s, a); err != nil || !bytes.Equal(got, data) {
				t.Errorf("fetched %d bytes, %v", len(got), err)
			}
		})
	}
	wg.Wait()
}

// fetchOne downloads a blob into a file and returns its bytes.
func fetchOne(t *testing.T, s *storage.Store, a storage.Artifact) ([]byte, error) {
	dir := t.TempDir()
	err := s.FetchTree(testContext(t), []storage.TreeEntry{{Path: "d/f", Digest: a.Digest, Size: a.Size}}, dir)
	got, missing := os.ReadFile(filepath.Join(dir, "d/f"))
	if err == nil {
		err = missing
	} else if missing == nil {
		t.Errorf("a failed download (%v) left a file of %d bytes", err, len(got))
	}
	return got, err
}

// findDamage reads a blob that is wrong in each way in which it can be.
func findDamage(t *testing.T, s *storage.Store, a storage.Artifact, data []byte) {
	ctx := testContext(t)
	key, err := storage.BlobKey(a.Digest)
	check(t, err)
	late := bytes.Clone(data)
	late[len(late)-1] ^= 1
	for name, bad := range map[string][]byte{
		"flip": late, "cut": data[:len(data)-1], "cut to one range": data[:5<<20], "empty": nil,
		"extend": append(bytes.Clone(data), 0), "shift": append(data[1:], 0),
	} {
		check(t, s.WriteFile(ctx, key, bad))
		if _, err := get(ctx, s, a.Digest, a.Size); err == nil {
			t.Errorf("%s: read without an error", name)
		} else {
			want(t, err, storage.ErrCorrupt, key)
		}
		_, err := fetchOne(t, s, a)
		want(t, err, storage.ErrCorrupt, key)
	}
}

// testChanged: a file that changes after its digest was computed is not stored
// under that digest.
func testChanged(t *testing.T, h Harness) {
	t.Parallel()
	ctx := testContext(t)
	for size, change := range map[int]func(f *os.File) error{
		1000:       func(f *os.File) error { _, err := f.WriteAt([]byte("x"), 500); return err },
		2000:       func(f *os.File) error { return f.Truncate(1999) },
		17<<20 + 1: func(f *os.File) error { _, err := f.WriteAt([]byte("x"), 17<<20); return err }, // in the second part of an upload
		17<<20 + 2: func(f *os.File) error { return f.Truncate(8 << 20) },
	} {
		data := random(uint64(size), size)
		dir := t.TempDir()
		file := filepath.Join(dir, fmt.Sprint(size))
		check(t, os.WriteFile(file, data, 0o600))
		s := h.Open(t, &storage.Options{Around: func(_ context.Context, op, _ string, call func() error) error {
			if op == "put" {
				f, err := os.OpenFile(file, os.O_RDWR, 0)
				check(t, err)
				check(t, change(f))
				check(t, f.Close())
			}
			return call()
		}})
		err := s.SaveCheckpoint(ctx, "train", strings.Repeat("a", 64), 1, dir)
		want(t, err, storage.ErrStale, digest(data), "written to")
		_, err = s.Has(ctx, digest(data))
		want(t, err, storage.ErrNotFound)
	}
}

// testTreeResume: a folder of which some files were stored before an
// interruption is completed with the others, and then nothing is sent again.
func testTreeResume(t *testing.T, h Harness) {
	const files = 200
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	var mu sync.Mutex
	const stopAt = 30
	sent, interrupted := map[string]bool{}, false
	s := h.Open(t, &storage.Options{Around: func(_ context.Context, op, key string, call func() error) error {
		if op == "put" {
			mu.Lock()
			sent[key] = true
			if len(sent) == stopAt && !interrupted {
				cancel()
			}
			mu.Unlock()
		}
		return call()
	}})
	dir := t.TempDir()
	for i := range files {
		check(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), random(uint64(i), 500), 0o600))
	}
	key := strings.Repeat("a", 64)
	if err := s.SaveCheckpoint(ctx, "train", key, 1, dir); err == nil {
		t.Fatal("an interrupted upload succeeded")
	}
	stored := len(keys(t, s, "blobs/"))
	if stored < stopAt-1-64 || stored >= files {
		t.Errorf("%d files stored before the interruption", stored)
	}
	ctx = testContext(t)
	sent, interrupted = map[string]bool{}, true
	err := s.SaveCheckpoint(ctx, "train", key, 1, dir)
	// What was under way at the interruption may have landed after the list.
	if n := len(sent); err != nil || n > files-stored || n < files-stopAt-64 {
		t.Errorf("sent %d files of the %d that were missing, %v", n, files-stored, err)
	}
	clear(sent)
	if err := s.SaveCheckpoint(ctx, "train", key, 2, dir); err != nil || len(sent) != 0 {
		t.Errorf("the same folder again: %v, %d files sent", err, len(sent))
	}
	out := t.TempDir()
	if step, err := s.RestoreCheckpoint(ctx, "train", key, out, slog.New(slog.DiscardHandler), nil); err != nil || step != 2 {
		t.Fatalf("step %d, %v", step, err)
	}
	for i := range files {
		if got, err := os.ReadFile(filepath.Join(out, fmt.Sprint(i))); err != nil || !bytes.Equal(got, random(uint64(i), 500)) {
			t.Errorf("file %d: %d bytes, %v", i, len(got), err)
		}
	}
}
