package slurmtest

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// nodeVariable is set in a node's daemon and in what it starts to keep jobs.
const nodeVariable = "SLURMTEST_NODE"

// Jobs lists the processes of jobs of the cluster, wherever they run.
func (c *Cluster) Jobs() []int {
	return slices.DeleteFunc(c.processes(""), func(pid int) bool {
		name, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
		return bytes.HasPrefix(name, []byte("slurm")) || bytes.HasPrefix(name, []byte("munged"))
	})
}

// processes lists those of a node, or of the whole cluster: a process belongs to one
// if its environment says so, or if its parent belongs to it.
func (c *Cluster) processes(name string) []int {
	names, _ := filepath.Glob("/proc/[0-9]*")
	parents, ours := map[int]int{}, map[int]bool{}
	for _, dir := range names {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		env, err := os.ReadFile(filepath.Join(dir, "environ"))
		state, parent := stat(dir)
		if err != nil || state == "Z" {
			continue // it has ended
		}
		parents[pid] = parent
		ours[pid] = pid != os.Getpid() && c.belongs(env, name)
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

// belongs reports whether an environment is that of a process of the node.
func (c *Cluster) belongs(env []byte, name string) bool {
	variables := strings.Split(string(env), "\x00")
	has := func(kv string) bool { return slices.Contains(variables, kv) }
	daemon := has("SLURM_CONF=" + c.conf()) // or what it starts to keep a job
	job := has("SLURM_CLUSTER_NAME=" + c.name)
	if name == "" {
		return daemon || job
	}
	return daemon && has(nodeVariable+"="+name) || job && has("SLURMD_NODENAME="+name)
}

// stat reads a process's state and parent.
func stat(dir string) (state string, parent int) {
	text, _ := os.ReadFile(filepath.Join(dir, "stat"))
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 2 {
		return "Z", 0
	}
	parent, _ = strconv.Atoi(fields[1])
	return fields[0], parent
}
