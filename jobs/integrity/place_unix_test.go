//go:build unix

package integrity_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/integrity"
	"golang.org/x/sys/unix"
)

// TestObstructed puts a folder, a link or a pipe in the place of each object of a
// store, and nothing else than that is found.
func TestObstructed(t *testing.T) {
	b := finished(t)
	kinds := map[string]func(path string) error{
		"a folder":        func(path string) error { return os.Mkdir(path, 0o755) },
		"a symbolic link": func(path string) error { return os.Symlink("/etc/passwd", path) },
		"a named pipe":    func(path string) error { return unix.Mkfifo(path, 0o644) },
	}
	for _, key := range b.Objects("") {
		path := filepath.Join(b.Store.Source(), filepath.FromSlash(key))
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for kind, put := range kinds {
			if kind == "a folder" && (strings.Contains(key, "/logs/") || strings.Contains(key, "/events/")) {
				continue // on which nothing rests
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := put(path); err != nil {
				t.Fatal(err)
			}
			r := whole(t, b, b.Store, integrity.Subset{})
			if len(r.Faults) != 1 || r.Faults[0].Key != key || r.Faults[0].Problem != integrity.Obstructed || !strings.Contains(r.Faults[0].Error, kind) || r.Faults[0].Repair == "" {
				t.Errorf("%s in the place of %s: %+v", kind, key, r.Faults)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if r := whole(t, b, b.Store, integrity.Everything()); !r.Whole {
		t.Errorf("in the end: %+v", r.Faults)
	}
}
