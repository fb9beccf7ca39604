package openssh

import (
	"os/exec"

	"golang.org/x/sys/windows"
)

// Apart puts a command into a process group of its own, which a Ctrl-C does not reach.
func Apart(cmd *exec.Cmd) {
	cmd.SysProcAttr = &windows.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}
