package program

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// killOrphans kills what a program left running outside its process group: with
// setsid a process leaves it, but not the variable of its environment that names
// the attempt's own folder. A process that cleared its environment is not found.
func killOrphans(variable string) {
	// One that is found may just have started another.
	for range 10 {
		found := false
		folders, err := filepath.Glob("/proc/[0-9]*")
		if err != nil {
			return
		}
		for _, dir := range folders {
			pid, err := strconv.Atoi(filepath.Base(dir))
			if err != nil || pid == os.Getpid() {
				continue
			}
			// The process is opened first, so that its number cannot have become
			// another one's when it is killed.
			p, err := os.FindProcess(pid)
			if err != nil {
				continue
			}
			environ, err := os.ReadFile(filepath.Join(dir, "environ")) // of others it cannot be read
			if err == nil && slices.Contains(strings.Split(string(environ), "\x00"), variable) && p.Signal(syscall.SIGKILL) == nil {
				found = true
			}
			_ = p.Release() // only a handle
		}
		if !found {
			return
		}
	}
}
