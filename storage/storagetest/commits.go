package storagetest

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sprint-ml/sprint/storage"
)

func testTrees(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	dir := t.TempDir()
	files := map[string][]byte{"b.txt": []byte("b"), "a/c d/Ü.bin": random(1, 5000), "a/empty": nil, "z": []byte("b")}
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		check(t, os.WriteFile(path, data, 0o644))
	}
	a, err := PutFolder(ctx, s, dir)
	check(t, err)
	entries, err := s.Tree(ctx, a.Digest)
	check(t, err)
	if a.Media != storage.MediaTree || len(entries) != len(files) {
		t.Errorf("tree %+v with %d files", a, len(entries))
	}
	shuffled := slices.Clone(entries)
	slices.Reverse(shuffled)
	if b, err := s.PutTree(ctx, shuffled); err != nil || b != a {
		t.Errorf("another order gave %+v, %v; want %+v", b, err, a)
	}
	out := t.TempDir()
	check(t, s.FetchTree(ctx, entries, out))
	for name, data := range files {
		if got, err := os.ReadFile(filepath.Join(out, filepath.FromSlash(name))); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	one := entries[0]
	for _, path := range []string{"", ".", "..", "../x", "/x", "a/../b", "a//b", "a\\b", "c:x", "a\x00", "a/"} {
		one.Path = path
		if _, err := s.PutTree(ctx, []storage.TreeEntry{one}); err == nil {
			t.Errorf("a tree may hold the path %q", path)
		}
		if err := s.FetchTree(ctx, []storage.TreeEntry{one}, t.TempDir()); err == nil {
			t.Errorf("a tree is fetched with the path %q", path)
		}
	}
	if _, err := s.PutTree(ctx, []storage.TreeEntry{entries[0], entries[0]}); err == nil {
		t.Error("a tree may hold a path twice")
	}
	// A file that fails its digest is not left behind for a whole one.
	key, err := storage.BlobKey(digest(files["a/c d/Ü.bin"]))
	check(t, err)
	check(t, s.WriteFile(ctx, key, random(2, 5000)))
	out = t.TempDir()
	want(t, s.FetchTree(ctx, entries, out), storage.ErrCorrupt, key)
	if _, err := os.Stat(filepath.Join(out, "a", "c d", "Ü.bin")); !os.IsNotExist(err) {
		t.Errorf("the corrupt file was left: %v", err)
	}
	check(t, os.Symlink("b.txt", filepath.Join(dir, "link")))
	if err := s.SaveCheckpoint(ctx, "train", strings.Repeat("a", 64), 1, dir); err == nil || !strings.Contains(err.Error(), "link") {
		t.Errorf("a folder with a link: %v", err)
	}
}

// manifest returns one that Commit takes.
func manifest(key byte, generation int, outputs ...string) storage.Manifest {
	m := storage.Manifest{
		Kind: "train", Key: strings.Repeat(string("0123456789abcdef"[key%16]), 64), Generation: generation,
		Preimage: []byte(`{"options":{}}`), Notes: map[string]any{"rows": 3.0},
	}
	for _, o := range outputs {
		m.Outputs = append(m.Outputs, storage.Artifact{Name: o, Digest: digest([]byte(o)), Size: int64(len(o))})
	}
	return m
}

func testManifests(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	m := manifest(1, 1, "model", "history")
	_, err := s.Manifest(ctx, m.Kind, m.Key)
	want(t, err, storage.ErrNotFound)
	first, won, err := s.Commit(ctx, m)
	if err != nil || !won || first.Outputs[0].Name != "history" || m.Outputs[0].Name != "model" {
		t.Fatalf("won %v, %v: %+v from %+v", won, err, first, m)
	}
	second := second(t, s)
	loser := manifest(1, 1, "other")
	adopted, won, err := second.Commit(ctx, loser)
	if err != nil || won || adopted.Nonce != first.Nonce || len(adopted.Outputs) != 2 {
		t.Errorf("the second commit: won %v, %v, %+v", won, err, adopted)
	}
	third, won, err := second.Commit(ctx, manifest(1, 2, "model"))
	if err != nil || !won {
		t.Fatalf("the next generation: won %v, %v", won, err)
	}
	now, err := s.Manifest(ctx, m.Kind, m.Key)
	if err != nil || now.Nonce != third.Nonce || now.Generation != 2 || string(now.Preimage) != `{"options":{}}` {
		t.Errorf("the newest is %+v, %v", now, err)
	}
	_, _, err = s.Commit(ctx, manifest(2, 1, "model"))
	check(t, err)
	var seen []string
	for m, err := range s.History(ctx, "train") {
		check(t, err)
		seen = append(seen, fmt.Sprintf("%c%d", m.Key[0], m.Generation))
	}
	if !slices.Equal(seen, []string{"11", "12", "21"}) {
		t.Errorf("the manifests are %q", seen)
	}
	for _, bad := range []storage.Manifest{manifest(1, 0, "a"), {Kind: "UP", Key: m.Key, Generation: 1}, {Kind: "train", Key: "short", Generation: 1}, manifest(3, 1, "a", "a")} {
		if _, _, err := s.Commit(ctx, bad); err == nil {
			t.Errorf("committed %+v", bad)
		}
	}
	// A broken manifest is found, keeps its number and is passed over.
	at := "manifests/train/" + m.Key + "/000002"
	good, err := s.ReadFile(ctx, at, 1<<20)
	check(t, err)
	for name, change := range damage {
		check(t, s.WriteFile(ctx, at, change(good)))
		_, err = s.Manifest(ctx, m.Kind, m.Key)
		want(t, err, storage.ErrCorrupt, at)
		if n, err := s.Generation(ctx, m.Kind, m.Key); err != nil || n != 2 {
			t.Errorf("%s: generation %d, %v", name, n, err)
		}
	}
	// A whole manifest under the key of another is not taken for that one's.
	check(t, s.WriteFile(ctx, "manifests/train/"+strings.Repeat("2", 64)+"/000002", good))
	_, err = s.Manifest(ctx, "train", strings.Repeat("2", 64))
	want(t, err, storage.ErrCorrupt, "another key")
	if _, won, err := s.Commit(ctx, manifest(1, 3, "healed")); err != nil || !won {
		t.Errorf("healing: won %v, %v", won, err)
	}
	if now, err := s.Manifest(ctx, m.Kind, m.Key); err != nil || now.Outputs[0].Name != "healed" {
		t.Errorf("after healing: %+v, %v", now, err)
	}
}

// testManifestRace: all racers hold the winner's manifest in the end.
func testManifestRace(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	handles := []*storage.Store{s, second(t, s)}
	for k := range 10 {
		var wins atomic.Int32
		nonces := make([]string, 8)
		var wg sync.WaitGroup
		for i := range nonces {
			wg.Go(func() {
				m, won, err := handles[i%2].Commit(ctx, manifest(byte(k), 1, fmt.Sprint("racer-", i)))
				if err != nil {
					t.Error(err)
				}
				if won {
					wins.Add(1)
				}
				nonces[i] = m.Nonce
			})
		}
		wg.Wait()
		if slices.Sort(nonces); wins.Load() != 1 || nonces[0] != nonces[7] || nonces[0] == "" {
			t.Fatalf("key %d: %d winners, nonces %q", k, wins.Load(), nonces)
		}
	}
}

func testCheckpoints(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	log := slog.New(slog.DiscardHandler)
	key := strings.Repeat("c", 64)
	_, err := s.RestoreCheckpoint(ctx, "train", key, t.TempDir(), log, nil)
	want(t, err, storage.ErrNotFound)
	for _, step := range []int64{5, 100, 20} {
		dir := t.TempDir()
		check(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o755))
		check(t, os.WriteFile(filepath.Join(dir, "state"), fmt.Appendf(nil, "state %d", step), 0o644))
		check(t, os.WriteFile(filepath.Join(dir, "sub", "w"), random(uint64(step), 1000), 0o644))
		check(t, s.SaveCheckpoint(ctx, "train", key, step, dir))
	}
	has, err := s.HasCheckpoint(ctx, "train", key)
	if err != nil || !has {
		t.Errorf("has a checkpoint: %v, %v", has, err)
	}
	restore := func() int64 {
		t.Helper()
		dir := t.TempDir()
		step, err := second(t, s).RestoreCheckpoint(ctx, "train", key, dir, log, nil)
		if errors.Is(err, storage.ErrNotFound) {
			return 0
		}
		check(t, err)
		state, err := os.ReadFile(filepath.Join(dir, "state"))
		check(t, err)
		w, err := os.ReadFile(filepath.Join(dir, "sub", "w"))
		check(t, err)
		if string(state) != fmt.Sprint("state ", step) || !bytes.Equal(w, random(uint64(step), 1000)) {
			t.Errorf("step %d restored with state %q", step, state)
		}
		return step
	}
	if step := restore(); step != 100 {
		t.Errorf("restored step %d, want 100", step)
	}
	blob, err := storage.BlobKey(digest(random(100, 1000)))
	check(t, err)
	check(t, s.WriteFile(ctx, blob, random(1, 1000)))
	if step := restore(); step != 20 {
		t.Errorf("with a corrupt file of step 100 restored %d, want 20", step)
	}
	records := keys(t, s, "checkpoints/train/"+key+"/")
	if len(records) != 3 {
		t.Fatalf("records %q", records)
	}
	record, err := s.ReadFile(ctx, records[1], 1<<20)
	check(t, err)
	check(t, s.WriteFile(ctx, records[1], record[:len(record)/2]))
	if step := restore(); step != 5 {
		t.Errorf("with a torn record of step 20 restored %d, want 5", step)
	}
	blob, err = storage.BlobKey(digest([]byte("state 5")))
	check(t, err)
	check(t, s.Sweep(ctx, blob))
	if step := restore(); step != 0 {
		t.Errorf("with nothing whole left restored step %d", step)
	}
}
