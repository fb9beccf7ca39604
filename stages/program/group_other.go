//go:build !unix && !windows

package program

import "os/exec"

// group stands for a program's children. Without process groups the program
// itself is ended, and WaitDelay closes the pipes that its children hold.
type group struct{}

func newGroup(*exec.Cmd) *group { return &group{} }

func (*group) joined(*exec.Cmd) {}

func (*group) end(cmd *exec.Cmd) error { return cmd.Process.Kill() }

func (*group) kill(*exec.Cmd) {}
