package device

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// gpu is what can be learnt about NVIDIA hardware without loading a driver library.
type gpu struct {
	present bool
	driver  int   // major version of the driver, 0 if unknown
	memory  int64 // bytes of the first GPU, 0 if unknown
}

var driverVersion = regexp.MustCompile(`Kernel Module\s+(?:for \S+\s+)?(\d+)\.`)

// nvidia looks for the device file first, which costs nothing; nvidia-smi is
// asked only where there is one, so machines without a GPU do not pay for it.
func nvidia() gpu {
	var g gpu
	if _, err := os.Stat("/dev/nvidia0"); err == nil {
		g.present = true
	}
	if data, err := os.ReadFile("/proc/driver/nvidia/version"); err == nil {
		if m := driverVersion.FindSubmatch(data); m != nil {
			g.driver, _ = strconv.Atoi(string(m[1])) // digits by the pattern
		}
	}
	smi, err := exec.LookPath("nvidia-smi")
	if err != nil {
		return g
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, smi, "--query-gpu=driver_version,memory.total", "--format=csv,noheader,nounits").Output()
	if err != nil {
		return g // a driver tool without a GPU exits with an error
	}
	version, mem, ok := strings.Cut(strings.SplitN(string(out), "\n", 2)[0], ",")
	if !ok {
		return g
	}
	g.present = true
	if major, err := strconv.Atoi(strings.SplitN(strings.TrimSpace(version), ".", 2)[0]); err == nil {
		g.driver = major
	}
	if mib, err := strconv.ParseInt(strings.TrimSpace(mem), 10, 64); err == nil {
		g.memory = mib << 20
	}
	return g
}

// memory is the memory that a device works in: the GPU's, or the machine's.
func memory(device string) int64 {
	if device == CUDA {
		return nvidia().memory
	}
	total, _ := MachineMemory()
	return total
}

// MachineMemory is the memory that this process may have, of the machine's and under
// its control groups, and what of it programs may still take; both are 0 where the system
// does not say.
func MachineMemory() (total, available int64) { return machineMemory(os.DirFS("/")) }

func machineMemory(root fs.FS) (total, available int64) {
	data, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(data)) {
		name, rest, _ := strings.Cut(line, ":")
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		switch {
		case err != nil:
		case name == "MemTotal":
			total = kib << 10
		case name == "MemAvailable":
			available = kib << 10
		}
	}
	if limit := groupMemory(root); limit > 0 {
		total, available = min(total, limit), min(available, limit)
	}
	return total, available
}

// groupMemory is the least memory limit of this process's control groups and those above
// them, of either version; 0 if there is none.
func groupMemory(root fs.FS) (least int64) {
	data, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, _ := strings.Cut(rest, ":")
		dir, file := "sys/fs/cgroup", "memory.max"
		if controllers != "" {
			if !slices.Contains(strings.Split(controllers, ","), "memory") {
				continue
			}
			dir, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		}
		for up := path.Clean("/" + group); ; up = path.Dir(up) {
			text, _ := fs.ReadFile(root, path.Join(dir, up, file)) // the root has none, nor a group that a container hides
			if limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && limit > 0 && (least == 0 || limit < least) {
				least = limit
			}
			if up == "/" {
				break
			}
		}
	}
	return least
}
