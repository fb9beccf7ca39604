// Package inmemory keeps what tests write in memory, where the machine has room there.
package inmemory

import (
	"os"
	"testing"
)

// Run runs the tests of a package, and the processes that they start, with
// their temporary folders in memory where the machine has room there. Tests that
// fill many small stores otherwise wait for the disk most of their time. What they
// show about killed processes is the same: a file keeps what a killed process wrote.
// The result is the exit code for TestMain.
func Run(m *testing.M) int {
	if dir, err := folder(); err == nil {
		defer os.RemoveAll(dir)
		if err := os.Setenv("TMPDIR", dir); err != nil {
			panic(err)
		}
	}
	return m.Run()
}
