package xla

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// processor is the model of the first processor and what it can do; nil if unknown.
func processor() []string {
	if runtime.GOOS == "darwin" {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		out, err := exec.CommandContext(ctx, "/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string", "hw.cpufamily").Output()
		if err != nil {
			return nil
		}
		return strings.Fields(string(out))
	}
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return nil
	}
	return processorFacts(string(data))
}

// processorFacts are the lines of Linux's /proc/cpuinfo that tell processors apart.
func processorFacts(info string) []string {
	first, _, _ := strings.Cut(info, "\n\n")
	var out []string
	for line := range strings.Lines(first) {
		name, value, _ := strings.Cut(line, ":")
		switch name = strings.TrimSpace(name); name {
		case "vendor_id", "cpu family", "model", "model name", "stepping", "flags", // x86
			"CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision", "Features": // ARM
			out = append(out, name+": "+strings.TrimSpace(value))
		}
	}
	return out
}
