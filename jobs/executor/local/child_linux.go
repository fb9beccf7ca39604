package local

import "syscall"

// childAttributes put the child into a process group of its own, so that the
// terminal's Ctrl-C reaches only the runner, and let it die with its parent.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
