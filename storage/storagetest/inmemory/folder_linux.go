package inmemory

import (
	"errors"
	"os"
	"syscall"
)

// folder makes a folder in memory. It is an error where no file system in
// memory is mounted, or where it has not the room that a package's tests may take.
func folder() (string, error) {
	const mount, tmpfs, room = "/dev/shm", 0x01021994, 1 << 30
	var info syscall.Statfs_t
	if err := syscall.Statfs(mount, &info); err != nil {
		return "", err
	}
	if info.Type != tmpfs || info.Bavail*uint64(info.Bsize) < room { //nolint:gosec // a block has a positive size
		return "", errors.New("no room in memory")
	}
	return os.MkdirTemp(mount, "sprint-test-*")
}
