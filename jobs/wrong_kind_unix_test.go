//go:build unix

package jobs_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest/faults"
	"golang.org/x/sys/unix"
)

// wrongKinds put something else than a file at a path.
var wrongKinds = map[string]func(path string) error{
	"folder": func(path string) error { return os.MkdirAll(filepath.Join(path, "x"), 0o755) },
	"link":   func(path string) error { return os.Symlink("/etc/passwd", path) },
	"pipe":   func(path string) error { return unix.Mkfifo(path, 0o644) },
}

// TestWrongKindsHeal puts a folder, a link or a pipe in the place of an object of a
// finished run of sixPlan: the next run ends as the first did, and what a result
// rests on is a file again.
func TestWrongKindsHeal(t *testing.T) {
	origin, dir := filepath.Join(t.TempDir(), "store"), t.TempDir()
	want := sixReference(t, origin)
	s, err := storage.Open(t.Context(), origin, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	seen := map[string]bool{}
	for _, key := range objects(t, s) {
		// One object of a sort, and of each sort of blob.
		sort := strings.Join(strings.Split(key, "/")[:2], "/")
		switch rest := strings.Split(key, "/"); rest[0] {
		case "blobs":
			sort = fmt.Sprint("blobs/", slices.Contains(slices.Collect(maps.Values(want.Digests)), "sha256:"+rest[3]))
		case "runs":
			sort = "runs/" + rest[2]
		case "models":
			sort = "models/" + rest[len(rest)-1]
		}
		if seen[sort] && jobstest.Tier == 0 {
			continue
		}
		seen[sort] = true
		for what, put := range wrongKinds {
			store := filepath.Join(t.TempDir(), "store")
			if err := os.CopyFS(store, os.DirFS(origin)); err != nil {
				t.Fatal(err)
			}
			at := filepath.Join(store, filepath.FromSlash(key))
			if err := os.Remove(at); err != nil {
				t.Fatal(err)
			}
			if err := put(at); err != nil {
				t.Fatal(err)
			}
			got, err := runSix(t.Context(), dir, store, faults.New(nil), func(b *jobstest.Bench) {
				b.Tweak = func(r *jobs.Runner) {
					if strings.HasSuffix(key, "/claim") { // on which nothing rests while the release is whole
						r.Select.Force = []string{"ship"}
					}
				}
			})
			if err != nil || got.Code != 0 || !maps.Equal(got.Digests, want.Digests) {
				t.Errorf("%s in the place of %s: the next run ends with %d %s, %v (%d)", what, key, got.Code, got.Error, err, executor.Code(err))
			}
			rests := strings.HasPrefix(key, "manifests/") || strings.HasPrefix(key, "models/") || sort == "blobs/true"
			if fi, err := os.Lstat(at); rests && (err != nil || !fi.Mode().IsRegular()) {
				t.Errorf("%s in the place of %s: it is still there, %v", what, key, err)
			}
		}
	}
	if len(seen) < 12 {
		t.Errorf("only %v were tried", seen)
	}
}
