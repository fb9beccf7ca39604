package replica_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/replica"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

func open(t *testing.T, url string) *storage.Store {
	t.Helper()
	s, err := storage.Open(t.Context(), url, &storage.Options{Log: slog.New(slog.DiscardHandler)})
	check(t, err)
	t.Cleanup(func() { check(t, s.Close()) })
	return s
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fill makes a store with one of everything: a release of a big file, an alias, a
// stage, a checkpoint, a run's files and a lease.
func fill(t *testing.T, s *storage.Store) storage.Artifact {
	t.Helper()
	ctx := t.Context()
	big := bytes.Repeat([]byte("0123456789abcdef"), 400_000) // 6.4 MB: spooled, and in parts
	a, err := s.Put(ctx, bytes.NewReader(big), "")
	check(t, err)
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "model.safetensors"), big, 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte("{}"), 0o600))
	tree, err := storagetest.PutFolder(ctx, s, dir)
	check(t, err)
	check(t, s.SaveCheckpoint(ctx, "train", strings.Repeat("c", 64), 7, dir))
	a.Name = "out"
	_, _, err = s.Commit(ctx, storage.Manifest{Kind: "train", Key: strings.Repeat("a", 64), Generation: 1, Preimage: []byte("{}"), Outputs: []storage.Artifact{a}, Nonce: "n"})
	check(t, err)
	_, err = models.In(s).Publish(ctx, "news", tree, []byte("{}"))
	check(t, err)
	check(t, models.In(s).SetAlias(ctx, "news", "latest", 1))
	other, err := s.PutTree(ctx, []storage.TreeEntry{{Path: "config.json", Digest: a.Digest, Size: a.Size}})
	check(t, err)
	_, err = models.In(s).Publish(ctx, "news", other, []byte("{}"))
	check(t, err)
	for _, v := range []int{1, 2, 1} {
		check(t, models.In(s).SetAlias(ctx, "news", "files", v)) // it has a history, and the name of a release's folder
	}
	check(t, s.WriteFile(ctx, "runs/r1/log/1", []byte("a line\n")))
	check(t, s.WriteFile(ctx, "last/plan/train", []byte("x")))
	_, err = s.Acquire(ctx, "runs/r1", storage.Self(), time.Minute, "")
	check(t, err)
	return a
}

// keys are the keys of a store with the digests of what lies there.
func keys(t *testing.T, s *storage.Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	for info, err := range s.List(t.Context(), "") {
		check(t, err)
		if strings.HasPrefix(info.Key, "leases/") || strings.HasPrefix(info.Key, "kept/") {
			continue
		}
		digest, _, err := s.Digest(t.Context(), info.Key)
		check(t, err)
		out[info.Key] = digest
	}
	return out
}

func TestCopy(t *testing.T) {
	s3 := storagetest.S3URL(t, nil)
	for name, urls := range map[string][2]string{
		"folder to folder": {t.TempDir() + "/a", t.TempDir() + "/b"},
		"folder to S3":     {t.TempDir() + "/a", s3()},
		"S3 to folder":     {s3(), t.TempDir() + "/b"},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := open(t, urls[0]), open(t, urls[1])
			fill(t, from)
			first, err := replica.Copy(t.Context(), from, to, replica.Options{})
			check(t, err)
			want, got := keys(t, from), keys(t, to)
			for key, digest := range want {
				if got[key] != digest {
					t.Errorf("%s is %q, want %q", key, got[key], digest)
				}
			}
			if len(got) != len(want) || first.Copied != len(want) || len(first.Damaged)+len(first.Differing)+first.Present != 0 {
				t.Errorf("%d objects of %d, report %+v", len(got), len(want), first)
			}
			if n := len(slices.Collect(leases(t, to))); n != 0 {
				t.Errorf("%d leases were copied: nobody works in a copy", n)
			}
			again, err := replica.Copy(t.Context(), from, to, replica.Options{})
			check(t, err)
			if again.Copied != 0 || again.Present != len(want) {
				t.Errorf("the second time %+v", again)
			}
		})
	}
}

func leases(t *testing.T, s *storage.Store) func(func(string) bool) {
	return func(yield func(string) bool) {
		for l, err := range s.Leases(t.Context(), "") {
			check(t, err)
			if !yield(l.Name) {
				return
			}
		}
	}
}

// TestBrokenOff: wherever a copy ends, what the target names is there, and the next
// one finishes it.
func TestBrokenOff(t *testing.T) {
	from := open(t, t.TempDir()+"/a")
	out := fill(t, from)
	whole := keys(t, from)
	for after := range len(whole) {
		to := open(t, t.TempDir()+"/b")
		ctx, stop := context.WithCancel(t.Context())
		_, err := replica.Copy(ctx, from, to, replica.Options{Progress: func(r replica.Report) {
			if r.Copied > after {
				stop()
			}
		}})
		stop()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if _, err := to.Manifest(t.Context(), "train", strings.Repeat("a", 64)); err == nil {
			if _, err := to.Verify(t.Context(), out.Digest, out.Size); err != nil {
				t.Errorf("broken off after %d objects, a manifest names what is not there: %v", after, err)
			}
		}
		if v, err := models.In(to).AliasVersion(t.Context(), "news", "latest"); err == nil && v > 0 {
			if _, err := models.In(to).ReleaseAt(t.Context(), "news", v); err != nil {
				t.Errorf("broken off after %d objects, an alias names what is not there: %v", after, err)
			}
		}
		if _, err := replica.Copy(t.Context(), from, to, replica.Options{}); err != nil {
			t.Fatal(err)
		}
		if got := keys(t, to); len(got) != len(whole) {
			t.Errorf("broken off after %d objects, the next copy left %d of %d", after, len(got), len(whole))
		}
	}
}

// TestDamage: what the source has damaged is named and not copied, each kind of it,
// and the rest is.
func TestDamage(t *testing.T) {
	for _, prefix := range []string{"blobs/", "manifests/", "models/news/1/files/model", "models/news/1/release.json", "models/news/aliases/", "checkpoints/"} {
		t.Run(prefix, func(t *testing.T) {
			dir := t.TempDir() + "/a"
			from, to := open(t, dir), open(t, t.TempDir()+"/b")
			fill(t, from)
			whole := keys(t, from)
			var bad string
			for key := range whole {
				if strings.HasPrefix(key, prefix) {
					bad = key
				}
			}
			data, err := os.ReadFile(filepath.Join(dir, bad))
			check(t, err)
			data[len(data)/2] ^= 1
			check(t, os.WriteFile(filepath.Join(dir, bad), data, 0o600))
			r, err := replica.Copy(t.Context(), from, to, replica.Options{})
			check(t, err)
			left := 1
			if strings.HasSuffix(bad, "release.json") {
				left = 3 // with the two files that it vouches for
			}
			if !slices.ContainsFunc(r.Damaged, func(d replica.Damage) bool { return d.Key == bad }) || len(r.Damaged) != left {
				t.Errorf("%s was bent; the report says %+v", bad, r.Damaged)
			}
			got := keys(t, to)
			if _, ok := got[bad]; ok || len(got) != len(whole)-left {
				t.Errorf("%d of %d objects were copied, the damaged one among them: %v", len(got), len(whole), ok)
			}
		})
	}
}

// TestDiffering: what the target has under a name stays, unless it is told otherwise.
func TestDiffering(t *testing.T) {
	from, to := open(t, t.TempDir()+"/a"), open(t, t.TempDir()+"/b")
	fill(t, from)
	check(t, to.WriteFile(t.Context(), "last/plan/train", []byte("mine")))
	r, err := replica.Copy(t.Context(), from, to, replica.Options{})
	check(t, err)
	if len(r.Differing) != 1 || r.Differing[0] != "last/plan/train" {
		t.Errorf("%+v", r)
	}
	if b, err := to.ReadFile(t.Context(), "last/plan/train", 100); string(b) != "mine" {
		t.Errorf("%q, %v", b, err)
	}
	r, err = replica.Copy(t.Context(), from, to, replica.Options{Replace: true})
	check(t, err)
	if b, err := to.ReadFile(t.Context(), "last/plan/train", 100); string(b) != "x" || r.Replaced != 1 || len(r.Differing) != 0 {
		t.Errorf("%q, %v, %+v", b, err, r)
	}
}

// TestNothingVouches: files of a release whose record is damaged are not copied, nor
// what its record does not name or says to be shorter; other releases are.
func TestNothingVouches(t *testing.T) {
	dir := t.TempDir() + "/a"
	from, to := open(t, dir), open(t, t.TempDir()+"/b")
	fill(t, from)
	check(t, os.WriteFile(filepath.Join(dir, "models/news/1/files/extra"), []byte("x"), 0o600))
	check(t, os.MkdirAll(filepath.Join(dir, "models/news/2/files"), 0o700))
	check(t, os.WriteFile(filepath.Join(dir, "models/news/2/release.json"), []byte("garbage"), 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "models/news/2/files/config.json"), []byte("{}"), 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "models/news/1/files/config.json"), []byte("[]"), 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "README.md"), []byte("mine"), 0o600))
	r, err := replica.Copy(t.Context(), from, to, replica.Options{})
	check(t, err)
	var bad []string
	for _, d := range r.Damaged {
		bad = append(bad, d.Key)
	}
	slices.Sort(bad)
	want := []string{"models/news/1/files/config.json", "models/news/1/files/extra", "models/news/2/files/config.json", "models/news/2/release.json"}
	if !slices.Equal(bad, want) {
		t.Errorf("damaged are %q, want %q", bad, want)
	}
	if !slices.Equal(r.Foreign, []string{"README.md"}) {
		t.Errorf("foreign are %q", r.Foreign)
	}
	got := keys(t, to)
	if _, ok := got["models/news/1/files/model.safetensors"]; !ok {
		t.Error("a whole file was left out")
	}
	for _, key := range want {
		if _, ok := got[key]; ok {
			t.Errorf("%s was copied", key)
		}
	}
}
