package atomicfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestWrite: the file behind a link is replaced and the link stays; a file keeps its
// mode; what is no plain file is left alone, and nothing is left beside.
func TestWrite(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	target := filepath.Join(elsewhere, "file")
	if err := os.WriteFile(target, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"chain": "link", "link": target, "dangling": "nothing", "device": os.DevNull} {
		if err := os.Symlink(to, at(name)); err != nil {
			t.Skip(err)
		}
	}
	if err := Write(at("chain"), []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(target); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
	if data, err := os.ReadFile(target); err != nil || string(data) != "new" {
		t.Errorf("the target holds %q, %v", data, err)
	}
	if err := Write(at("fresh"), []byte("new"), 0o640); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(at("fresh")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode of a new file is %v, %v", info.Mode(), err)
	}
	for _, name := range []string{"dangling", "device"} {
		if err := Write(at(name), []byte("new"), 0o644); err == nil {
			t.Errorf("%s was replaced", name)
		}
	}
	for _, name := range []string{"chain", "link", "dangling", "device"} {
		if info, err := os.Lstat(at(name)); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("%s is no link any more, %v", name, err)
		}
	}
	if left, err := os.ReadDir(elsewhere); err != nil || len(left) != 1 {
		t.Errorf("beside the target lie %v, %v", left, err)
	}
}
