package trial

import (
	"os"
	"path/filepath"
	"testing"
)

// TestFolder: a folder that is there or could be made is none to complain of and stays as it
// is; below a file nothing can be made.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, good := range []string{dir, filepath.Join(dir, "a", "b")} {
		if err := Folder(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{file, filepath.Join(file, "a"), filepath.Join(file, "a", "b")} {
		if err := Folder(bad); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}
