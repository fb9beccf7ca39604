package plainfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/plainfile"
)

// TestRead: a plain file within its cap is read, through links too, and nothing else.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, content := range map[string]string{"small": "12345", "large": "123456"} {
		if err := os.WriteFile(at(name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("small", at("link")); err != nil {
		t.Skip(err)
	}
	for _, name := range []string{"small", "link"} {
		if data, err := plainfile.Read(at(name), 5); err != nil || string(data) != "12345" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	for name, want := range map[string]string{"large": "6 bytes, more than 5", ".": "a folder"} {
		if _, err := plainfile.Read(at(name), 5); !errors.Is(err, plainfile.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := plainfile.Read(at("none"), 5); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestSame: links of both kinds are the same file; devices, folders and what is not there
// are none.
func TestSame(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(at(name), []byte("equal"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Link(at("a"), at("hard")), os.Symlink("a", at("soft"))); err != nil {
		t.Skip(err)
	}
	f, err := os.Open(at("hard"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, c := range []struct {
		a, b string
		same bool
	}{{"a", "a", true}, {"a", "hard", true}, {"soft", "hard", true}, {"a", "b", false}, {"a", "none", false}, {"none", "none", false}, {".", ".", false}} {
		if plainfile.Same(at(c.a), at(c.b)) != c.same {
			t.Errorf("%s and %s: the same is not %v", c.a, c.b, c.same)
		}
	}
	if plainfile.Same(os.DevNull, os.DevNull) || !plainfile.SameAs(f, at("soft")) || plainfile.SameAs(f, at("b")) {
		t.Error("a device is a file, or an open file is not its own")
	}
}
