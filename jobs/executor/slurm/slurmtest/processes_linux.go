package slurmtest

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sprint-ml/sprint/jobs/jobstest"
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
	return jobstest.Processes(func(env []byte) bool { return c.belongs(env, name) })
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
