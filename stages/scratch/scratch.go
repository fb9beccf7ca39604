// Package scratch makes folders for what a process needs while it lives: the work of
// an attempt, the copy of a model. Those of killed processes are swept.
package scratch

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/sprint-ml/sprint/stages"
)

// prefix begins the names of the folders.
const prefix = "sprint-scratch-"

// New makes a folder that this process holds until it calls done or
// dies, however it dies: the hold is a lock of the kernel's.
func New() (dir string, done func(), err error) {
	for {
		dir, err = os.MkdirTemp("", prefix+"*")
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

// Sweep removes the folders of this user's processes that were killed.
// What cannot be removed takes only space.
func Sweep() {
	entries, err := os.ReadDir(os.TempDir())
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), prefix) {
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
