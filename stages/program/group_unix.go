//go:build unix

package program

import (
	"io"
	"os/exec"
	"syscall"
)

// group is the process group of a program. Its leader is a shell that waits
// for the end of a pipe which this process holds: if this process dies, killed
// or not, the shell kills the whole group, itself with it. On a system without
// sh the program leads its own group, and outlives a killed runner.
type group struct {
	lifeline io.Closer
	guard    *exec.Cmd
	pgid     int
}

// guardScript ignores the signals that a polite end sends to the group, and
// whatever comes through the pipe before its end.
const guardScript = `trap "" HUP INT TERM; while read -r x; do :; done; kill -KILL 0`

// newGroup makes the group that cmd will join when it starts.
func newGroup(cmd *exec.Cmd) *group {
	g := &group{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	guard := exec.Command("/bin/sh", "-c", guardScript)
	guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	guard.Env = []string{}
	pipe, err := guard.StdinPipe()
	if err != nil || guard.Start() != nil {
		return g
	}
	g.lifeline, g.guard, g.pgid = pipe, guard, guard.Process.Pid
	cmd.SysProcAttr.Pgid = g.pgid
	return g
}

// joined has nothing to do: the program starts in the group.
func (*group) joined(*exec.Cmd) {}

// end asks the whole group to end. What is left of it after the grace time,
// when waiting for the program is over, kill ends.
func (g *group) end(cmd *exec.Cmd) error {
	if g.guard == nil {
		return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	}
	return syscall.Kill(-g.pgid, syscall.SIGTERM)
}

// kill ends what the program left running, and the guard, which until it is
// waited for keeps the group's number from being another one's.
func (g *group) kill(cmd *exec.Cmd) {
	if g.guard == nil {
		if cmd.Process != nil {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
		return
	}
	_ = syscall.Kill(-g.pgid, syscall.SIGKILL)
	_ = g.lifeline.Close()
	_ = g.guard.Wait()
}
