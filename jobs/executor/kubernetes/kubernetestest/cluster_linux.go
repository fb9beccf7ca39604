// Package kubernetestest starts a real Kubernetes cluster for a test: etcd, the
// control plane and some nodes, each with containerd, a kubelet and stand-in GPUs.
// All are processes of this machine. It needs root, a system with apt and the program
// of the module beside it, which `just cluster` builds. Several clusters may run
// beside each other.
//
//	cluster_linux.go    a cluster, its start and its end
//	program_linux.go    the program of control plane and nodes, kept by its source's digest
//	control_linux.go    the control plane
//	node_linux.go       a node, its start and its loss
//	image_linux.go      the image of its pods, made of this machine's files
//	api_linux.go        the API, as the cluster's administrator
//	processes_linux.go  whose processes are whose
package kubernetestest

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Options describe a cluster.
type Options struct {
	// Nodes is how many there are; 0 means 3.
	Nodes int
	// GPUs is how many each node has; 0 means 1.
	GPUs int
	// Role is the file with the Role that a driver is given.
	Role string
}

// Cluster is one that runs. Its nodes notice a lost one after eight seconds.
type Cluster struct {
	// Dir is a folder of the cluster's own.
	Dir string
	// Kubeconfig is the file through which a driver reaches the cluster: as a user who
	// may do in Namespace what the role says, and nothing else.
	Kubeconfig string
	// Namespace is where jobs are made.
	Namespace string
	// Image has a shell, curl and the libraries that they and this test's binary need.
	Image string

	t       testing.TB
	o       Options
	program string
	ports   []int
	tokens  map[string]string // by user
	control *control
	nodes   []*machine
	starts  chan func() // what the thread that lives as long as the cluster starts
}

// In is the cluster for a part of the test, which fails what fails there.
func (c *Cluster) In(t testing.TB) *Cluster {
	part := *c
	part.t = t
	return &part
}

// Start starts a cluster for the rest of the test. Where there is none to be had, it
// skips the test, and fails it if CI is set.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	program, err := install()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no Kubernetes here: %v", err)
		}
		t.Skipf("no Kubernetes here: %v", err)
	}
	o.Nodes, o.GPUs = cmp.Or(o.Nodes, 3), cmp.Or(o.GPUs, 1)
	// Sockets have short paths, which t.TempDir has not; and what pods fetch, each the
	// whole program, need not be in memory, where tests of stores have their folders.
	dir, err := os.MkdirTemp("/var/tmp", "kube")
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{
		Dir: dir, Kubeconfig: filepath.Join(dir, "driver.yaml"), Namespace: "sprint", Image: "sprint.test/tools:1",
		t: t, o: o, program: program, ports: freePorts(t, controlPorts+o.Nodes), control: &control{}, starts: make(chan func()),
	}
	t.Cleanup(c.end)
	go c.starter()
	c.write()
	began := time.Now()
	c.startControl()
	c.makeImage()
	for n := range o.Nodes {
		c.nodes = append(c.nodes, &machine{name: node(n), dir: c.at(node(n)), port: c.ports[controlPorts+n]})
		c.bootNode(n)
	}
	c.admit()
	for n := range o.Nodes {
		c.awaitNode(n)
	}
	t.Logf("a cluster of %d nodes after %s", o.Nodes, time.Since(began).Round(100*time.Millisecond))
	return c
}

// Await waits until something is so.
func (c *Cluster) Await(limit time.Duration, what string, so func() bool) {
	c.t.Helper()
	for until := time.Now().Add(limit); !so(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(until) {
			c.t.Fatalf("waited %s for %s\n%s\n%s", limit, what, c.describe(), c.logs())
		}
	}
}

// logs are the last lines of what the daemons say.
func (c *Cluster) logs() string {
	var all strings.Builder
	names, _ := filepath.Glob(filepath.Join(c.Dir, "log", "*"))
	for _, name := range names {
		text, _ := os.ReadFile(name)
		fmt.Fprintf(&all, "%s:\n%s\n", filepath.Base(name), text[max(0, len(text)-4000):])
	}
	return all.String()
}

// starter starts processes on a thread that ends when the cluster does: the kernel
// ends what asks to end with its parent when the thread ends that started it.
func (c *Cluster) starter() {
	runtime.LockOSThread()
	for start := range c.starts {
		start()
	}
}

// daemon starts a process of the cluster that ends with this one. It belongs to the
// node of that name; "" is none.
func (c *Cluster) daemon(name, of string, argv ...string) *exec.Cmd {
	c.t.Helper()
	out, err := os.OpenFile(filepath.Join(c.Dir, "log", name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		c.t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = c.Dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.Dir, "LC_ALL=C", clusterVariable + "=" + c.Dir, nodeVariable + "=" + of}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error)
	c.starts <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		c.t.Fatal(err)
	}
	return cmd
}

// end ends all that the cluster started, and its pods.
func (c *Cluster) end() {
	if c.t.Failed() {
		c.t.Log(c.describe() + c.logs())
	}
	// First the nodes, so that no more pods begin; what they mounted goes with them.
	for _, m := range c.nodes {
		c.stop(m)
	}
	for _, cmd := range []*exec.Cmd{c.control.controllers, c.control.scheduler, c.control.api, c.control.etcd} {
		kill(cmd)
	}
	if left := c.endAll(""); len(left) > 0 {
		c.t.Errorf("processes %v of the cluster are left", left)
	}
	close(c.starts)
	c.removeCgroups()
	if err := os.RemoveAll(c.Dir); err != nil {
		c.t.Error(err)
	}
}

// kill ends a process and waits until it is gone; nil and ended ones are left.
func kill(cmd *exec.Cmd) {
	if cmd != nil && cmd.ProcessState == nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// tools are the programs of Debian that a node needs, and what its image is made of.
var tools = []string{"containerd", "containerd-shim-runc-v2", "ctr", "runc", "iptables", "curl", "ldd", "nsenter", "unshare"}

// able reports why this machine can have no cluster; nil if it can.
func able() error {
	if os.Geteuid() != 0 {
		return errors.New("its nodes are started by root")
	}
	if lookAll(tools) == nil {
		return nil
	}
	return lookAll([]string{"apt-get"})
}

// install brings what nodes need here by the names of its packages, and finds the
// cluster's program.
func install() (program string, err error) {
	if err := able(); err != nil {
		return "", err
	}
	if program, err = Program(); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(os.TempDir(), "kubernetestest.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	if lookAll(tools) == nil {
		return program, nil
	}
	for _, args := range [][]string{{"update"}, {"install", "-y", "--no-install-recommends", "containerd", "runc", "iptables", "kmod", "curl"}} {
		cmd := exec.Command("apt-get", append([]string{"-o", "DPkg::Lock::Timeout=300"}, args...)...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("apt-get %v: %w\n%s", args, err, out)
		}
	}
	return program, lookAll(tools)
}

func lookAll(names []string) error {
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			return err
		}
	}
	return nil
}

// freePorts finds ports that nobody listens on now.
func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // when all are found, so that none is found twice
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return slices.Clip(ports)
}
