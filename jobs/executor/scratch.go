package executor

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/sprint-ml/sprint/stages"
)

// scratchPrefix names the folders in which attempts work.
const scratchPrefix = "sprint-scratch-"

// newScratch makes a folder that this process holds until it calls done or
// dies, however it dies: the hold is a lock of the kernel's.
func newScratch() (dir string, done func(), err error) {
	for {
		dir, err = os.MkdirTemp("", scratchPrefix+"*")
		if err != nil {
			return "", nil, stages.Fail(stages.CodeEnvironment, "set TMPDIR to a folder with space", "no scratch folder: %w", err)
		}
		hold, ours := holdFolder(dir)
		if ours {
			return dir, func() {
				_ = os.RemoveAll(dir)
				hold.Close()
			}, nil
		}
		// Another run took it for that of a dead one before it was held.
	}
}

// SweepScratch removes the folders of this user's processes that were killed.
// What cannot be removed takes only space.
func SweepScratch() {
	entries, err := os.ReadDir(os.TempDir())
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), scratchPrefix) {
			continue
		}
		dir := filepath.Join(os.TempDir(), e.Name())
		if fi, err := e.Info(); err != nil || !mine(fi) {
			continue
		}
		if hold, ours := holdFolder(dir); ours && hold != nil {
			_ = os.RemoveAll(dir)
			hold.Close()
		}
	}
}
