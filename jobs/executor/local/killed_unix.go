//go:build unix

package local

import (
	"os"
	"syscall"
)

// killedBy names the signal that ended a process.
func killedBy(ps *os.ProcessState) (string, bool) {
	if ps == nil {
		return "", false
	}
	status, ok := ps.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return "", false
	}
	return status.Signal().String(), true
}
