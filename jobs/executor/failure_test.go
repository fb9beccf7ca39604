package executor

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestHintOfAFullDisk: TMPDIR is named where it helps, and not to who writes elsewhere.
func TestHintOfAFullDisk(t *testing.T) {
	for path, helps := range map[string]bool{filepath.Join(os.TempDir(), "a"): true, "/dev/stdout": false, "": true} {
		err := fmt.Errorf("save: %w", syscall.ENOSPC)
		if path != "" {
			err = fmt.Errorf("save: %w", &fs.PathError{Op: "write", Path: path, Err: syscall.ENOSPC})
		}
		if hint := Hint(err); !strings.HasPrefix(hint, "free space on that disk") || strings.Contains(hint, "TMPDIR") != helps {
			t.Errorf("%q: %s", path, hint)
		}
	}
}
