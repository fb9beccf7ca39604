//go:build unix

package scratch

import (
	"io/fs"
	"os"
	"syscall"
)

// holdFolder locks a folder. It reports false if another process has the lock,
// or removed the folder meanwhile, and true without a lock where the file system
// has none.
func holdFolder(dir string) (hold *os.File, ours bool) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, false
	}
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err {
	case nil:
	case syscall.EWOULDBLOCK:
		f.Close()
		return nil, false
	default:
		f.Close()
		return nil, true
	}
	held, err := f.Stat()
	there, err2 := os.Lstat(dir)
	if err != nil || err2 != nil || !os.SameFile(held, there) {
		f.Close()
		return nil, false
	}
	return f, true
}

// mine reports whether a folder belongs to this user.
func mine(fi fs.FileInfo) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
