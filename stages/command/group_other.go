//go:build !unix

package command

import "os/exec"

// inGroup, endGroup and killGroup: without process groups the program itself
// is ended, and WaitDelay closes the pipes that its children hold.
func inGroup(*exec.Cmd) {}

func endGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }

func killGroup(*exec.Cmd) {}
