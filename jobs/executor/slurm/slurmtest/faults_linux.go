package slurmtest

import (
	"os"
	"path/filepath"
	"syscall"
)

// StartController starts the controller, at first or after KillController.
func (c *Cluster) StartController() {
	c.t.Helper()
	c.controller = c.daemon("slurm", nil, "slurmctld", "-f", c.conf(), "-D")
}

// StopController ends the controller, which writes down what it knows.
func (c *Cluster) StopController() {
	_ = c.controller.Process.Signal(syscall.SIGTERM)
	_ = c.controller.Wait()
}

// KillController ends the controller as kill -9 does. What it learnt in the last seconds
// is lost: it forgets jobs, and starts others that run already.
func (c *Cluster) KillController() { kill(c.controller) }

// StartNode starts a node, counted from 0, at first or after KillNode.
func (c *Cluster) StartNode(n int) {
	c.t.Helper()
	c.nodes[n] = c.daemon("", []string{nodeVariable + "=" + node(n)}, "slurmd", "-D", "-N", node(n), "-f", c.conf())
}

// KillNode ends a node and all that runs on it at once, as a loss of power does.
func (c *Cluster) KillNode(n int) {
	c.t.Helper()
	kill(c.nodes[n])
	for len(c.processes(node(n))) > 0 {
		for _, pid := range c.processes(node(n)) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// NodeNumber is the number of the node of that name.
func (c *Cluster) NodeNumber(name string) int {
	c.t.Helper()
	for n := range c.nodes {
		if node(n) == name {
			return n
		}
	}
	c.t.Fatalf("no node %q", name)
	return -1
}

// removeCgroups removes what nodes leave of control groups: only empty ones go.
func (c *Cluster) removeCgroups() {
	for n := range c.nodes {
		for _, pattern := range []string{"/sys/fs/cgroup/slurm_", "/sys/fs/cgroup/*/slurm_"} {
			dirs, _ := filepath.Glob(pattern + node(n))
			for _, dir := range dirs {
				_ = os.Remove(dir)
			}
		}
	}
}
