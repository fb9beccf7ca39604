//go:build unix

package ownership

import (
	"io/fs"
	"syscall"
)

// modesCount tells systems on which the bits of a mode say who may write.
const modesCount = true

func ownerOf(info fs.FileInfo) (uid int, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}
