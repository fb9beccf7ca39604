//go:build unix

package config

import (
	"os"
	"syscall"
)

// ours reports whether this process' user owns a file.
func ours(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}
