//go:build unix

package openssh

import (
	"os/exec"
	"syscall"
)

// Apart puts a command into a process group of its own, so that the terminal's Ctrl-C
// reaches only the runner: a second one would cut off what the first has it say to a host,
// and a job there would go on.
func Apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
