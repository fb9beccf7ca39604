package jobstest

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Processes lists the processes of this machine, but for this one, whose environment is
// theirs whom one looks for, and those that such a process has begun.
func Processes(theirs func(env []byte) bool) []int {
	names, _ := filepath.Glob("/proc/[0-9]*")
	parents, ours := map[int]int{}, map[int]bool{}
	for _, dir := range names {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		env, err := os.ReadFile(filepath.Join(dir, "environ"))
		state, parent := processStat(dir)
		if err != nil || state == "Z" {
			continue // it has ended
		}
		parents[pid] = parent
		ours[pid] = pid != os.Getpid() && theirs(env)
	}
	var all []int
	for pid := range parents {
		for up := pid; up > 1; up = parents[up] {
			if ours[up] {
				all = append(all, pid)
				break
			}
		}
	}
	return all
}

// processStat reads a process's state and parent.
func processStat(dir string) (state string, parent int) {
	text, _ := os.ReadFile(filepath.Join(dir, "stat"))
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 2 {
		return "Z", 0
	}
	parent, _ = strconv.Atoi(fields[1])
	return fields[0], parent
}
