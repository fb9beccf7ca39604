//go:build linux || darwin

package ownership

import (
	"io/fs"
	"syscall"
)

// IdentityOf is the identity of a file; ok is false where the system has none.
func IdentityOf(info fs.FileInfo) (id Identity, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return id, false
	}
	return Identity{uint64(stat.Dev), stat.Ino, info.Size(), info.ModTime().UnixNano(), changeTime(stat)}, true //nolint:unconvert // a device has 32 bits on darwin
}
