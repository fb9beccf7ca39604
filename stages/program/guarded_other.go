//go:build !linux

package program

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// Guard is no process here: only Linux hands orphans to one.
func Guard([]string) int {
	fmt.Fprintln(os.Stderr, "sprint: there are no guards on this system")
	return 2
}

// run runs a program in a group.
func run(_ context.Context, cmd *exec.Cmd, _ string) (ended, error) { return runInGroup(cmd) }
