//go:build unix

package graph

import (
	"os"

	"golang.org/x/sys/unix"
)

// identity is a file's inode and the time in ns at which its bytes or its
// record changed last, which no program can set back.
func identity(f *os.File) (inode uint64, changed int64) {
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil {
		return 0, 0
	}
	return uint64(st.Ino), unix.TimespecToNsec(st.Ctim) //nolint:unconvert // the width differs between systems
}
