package kubernetestest

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sprint-ml/sprint/jobs/jobstest"
)

// These are set in the cluster's daemons and in what they start to keep containers.
const (
	clusterVariable = "KUBERNETESTEST_CLUSTER"
	nodeVariable    = "KUBERNETESTEST_NODE"
)

// Workers lists the processes in containers of the cluster that do more than to hold a
// pod, wherever they run.
func (c *Cluster) Workers() []int { return c.workers("") }

// Holds reports whether workers run on a node, counted from 0.
func (c *Cluster) Holds(n int) bool { return len(c.workers(node(n))) > 0 }

func (c *Cluster) workers(name string) []int {
	return slices.DeleteFunc(c.processes(name), func(pid int) bool {
		dir := filepath.Join("/proc", strconv.Itoa(pid))
		env, err := os.ReadFile(filepath.Join(dir, "environ"))
		line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		return err != nil || c.belongs(env, "") || string(line) == strings.Join(holds, "\x00")+"\x00"
	})
}

// endAll ends the processes of a node, or of the whole cluster, and returns those that
// do not end.
func (c *Cluster) endAll(name string) (left []int) {
	for range 250 {
		if left = c.processes(name); len(left) == 0 {
			return nil
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return left
}

// processes lists those of a node, or of the whole cluster: a process belongs to one
// if its environment says so, or if its parent belongs to it.
func (c *Cluster) processes(name string) []int {
	return jobstest.Processes(func(env []byte) bool { return c.belongs(env, name) })
}

// belongs reports whether an environment is that of a process of the node.
func (c *Cluster) belongs(env []byte, name string) bool {
	variables := strings.Split(string(env), "\x00")
	return slices.Contains(variables, clusterVariable+"="+c.Dir) && (name == "" || slices.Contains(variables, nodeVariable+"="+name))
}

// removeCgroups removes what containers leave of control groups: only empty ones go.
func (c *Cluster) removeCgroups() {
	for _, pattern := range []string{"/sys/fs/cgroup/k8s.io", "/sys/fs/cgroup/*/k8s.io"} {
		roots, _ := filepath.Glob(pattern)
		for _, root := range roots {
			inside, _ := filepath.Glob(filepath.Join(root, "*"))
			for _, dir := range append(inside, root) {
				_ = syscall.Rmdir(dir)
			}
		}
	}
}
