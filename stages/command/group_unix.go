//go:build unix

package command

import (
	"os/exec"
	"syscall"
	"time"
)

// inGroup gives the program a process group of its own.
func inGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// endGroup asks the whole group to end, and kills what is left of it after the
// grace time.
func endGroup(cmd *exec.Cmd) error {
	pid := cmd.Process.Pid
	err := syscall.Kill(-pid, syscall.SIGTERM)
	deadline := time.Now().Add(cmd.WaitDelay)
	go func() {
		for time.Now().Before(deadline) && syscall.Kill(-pid, 0) == nil {
			time.Sleep(20 * time.Millisecond)
		}
		_ = syscall.Kill(-pid, syscall.SIGKILL)
	}()
	return err
}

// killGroup kills what the program left running.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
