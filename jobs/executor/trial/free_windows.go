package trial

import "golang.org/x/sys/windows"

// Free is how many bytes the user may still write where dir is; false if the system does
// not say.
func Free(dir string) (int64, bool) {
	p, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, false
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(p, &free, nil, nil); err != nil {
		return 0, false
	}
	return int64(free), true //nolint:gosec // no disk is that large
}
