package device

import (
	"testing"
	"testing/fstest"
)

// TestMachineMemory: the least limit of the control groups above a process counts, in
// either version and where a container shows only their root.
func TestMachineMemory(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	meminfo := file("MemTotal:       8388608 kB\nMemAvailable:   4194304 kB\n")
	for name, c := range map[string]struct {
		files            fstest.MapFS
		total, available int64
	}{
		"no group":  {fstest.MapFS{}, 8 << 30, 4 << 30},
		"no limit":  {fstest.MapFS{"proc/self/cgroup": file("0::/a\n"), "sys/fs/cgroup/a/memory.max": file("max\n")}, 8 << 30, 4 << 30},
		"version 2": {fstest.MapFS{"proc/self/cgroup": file("0::/a/b\n"), "sys/fs/cgroup/a/b/memory.max": file("max\n"), "sys/fs/cgroup/a/memory.max": file("1073741824\n")}, 1 << 30, 1 << 30},
		"version 1": {fstest.MapFS{"proc/self/cgroup": file("5:cpu:/x\n4:memory,hugetlb:/a\n0::/\n"), "sys/fs/cgroup/memory/a/memory.limit_in_bytes": file("2147483648\n"), "sys/fs/cgroup/memory/memory.limit_in_bytes": file("9223372036854771712\n")}, 2 << 30, 2 << 30},
		"container": {fstest.MapFS{"proc/self/cgroup": file("0::/hidden/deep\n"), "sys/fs/cgroup/memory.max": file("536870912\n")}, 512 << 20, 512 << 20},
	} {
		c.files["proc/meminfo"] = meminfo
		if total, available := machineMemory(c.files); total != c.total || available != c.available {
			t.Errorf("%s: %d and %d, want %d and %d", name, total, available, c.total, c.available)
		}
	}
	if total, _ := machineMemory(fstest.MapFS{}); total != 0 {
		t.Errorf("a system that does not say has %d bytes", total)
	}
}
