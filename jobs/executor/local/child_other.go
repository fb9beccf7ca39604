//go:build unix && !linux

package local

import "syscall"

// childAttributes put the child into a process group of its own, so that the
// terminal's Ctrl-C reaches only the runner.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
