//go:build unix

package answers

import (
	"errors"
	"os"
	"syscall"
)

// lock reports false if another process has locked the file. A file system without locks
// locks nothing.
func lock(f *os.File) bool {
	return !errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}
