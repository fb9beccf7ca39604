//go:build unix

package trial

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Free is how many bytes an ordinary user may still write where dir is or would be; false if
// the system does not say.
func Free(dir string) (int64, bool) {
	for {
		var st unix.Statfs_t
		if err := unix.Statfs(dir, &st); err == nil {
			return int64(st.Bavail) * int64(st.Bsize), true //nolint:unconvert,gosec // the widths differ between systems
		}
		up := filepath.Dir(dir)
		if up == dir {
			return 0, false
		}
		dir = up
	}
}
