//go:build unix

package plainfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sprint-ml/sprint/ml/plainfile"
)

// TestNeverWaits: what has no end, or only begins when somebody writes, is refused before
// it is opened.
func TestNeverWaits(t *testing.T) {
	dir := t.TempDir()
	fifo, link := filepath.Join(dir, "fifo"), filepath.Join(dir, "link")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Skip(err)
	}
	if err := os.Symlink("/dev/zero", link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{fifo: "a fifo", link: "a device", "/dev/zero": "a device"} {
		if _, err := plainfile.Open(path); !errors.Is(err, plainfile.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
