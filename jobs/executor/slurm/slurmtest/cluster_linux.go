// Package slurmtest starts a real Slurm cluster on loopback for a test: an
// authentication daemon, a controller and some nodes, each with a stand-in GPU.
// It needs root and a system with apt. Several clusters may run beside each other.
//
//	cluster_linux.go    a cluster, its start and its end
//	config_linux.go     what its configuration files say
//	faults_linux.go     what may happen to it
//	processes_linux.go  whose processes are whose
package slurmtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Options describe a cluster.
type Options struct {
	// Nodes is how many there are; 0 means 3.
	Nodes int
	// CPUs is how many each node has; 0 means 2.
	CPUs int
	// Config holds further lines of slurm.conf.
	Config string
}

// Cluster is one that runs. Its partitions are "batch", the default, "urgent",
// which pre-empts it, and "short", whose jobs may ask for a minute.
type Cluster struct {
	// Dir is a folder that all its nodes see.
	Dir string

	t          testing.TB
	name       string // of the cluster, in the environment of its jobs
	ports      []int  // the controller's, then one a node
	munged     *exec.Cmd
	controller *exec.Cmd
	nodes      []*exec.Cmd
	starts     chan func() // what the thread that lives as long as the cluster starts
}

// Start starts a cluster for the rest of the test. Where there is none to be had, it
// skips the test, and fails it if CI is set.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	if err := install(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no Slurm here: %v", err)
		}
		t.Skipf("no Slurm here: %v", err)
	}
	if o.Nodes == 0 {
		o.Nodes = 3
	}
	if o.CPUs == 0 {
		o.CPUs = 2
	}
	// Sockets have short paths, which t.TempDir has not.
	dir, err := os.MkdirTemp("", "slurm")
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{Dir: dir, t: t, name: filepath.Base(dir), ports: freePorts(t, 1+o.Nodes), nodes: make([]*exec.Cmd, o.Nodes), starts: make(chan func())}
	t.Cleanup(c.end)
	go c.starter()
	c.write(o)
	c.startMunged()
	c.StartController()
	for n := range c.nodes {
		c.StartNode(n)
	}
	c.Await(20*time.Second, "all nodes to be idle", func() bool {
		return strings.Count(c.Try("sinfo", "-h", "-N", "-p", "batch", "-t", "idle"), "\n") == o.Nodes
	})
	return c
}

// Env is the environment in which the cluster's commands find it.
func (c *Cluster) Env() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LC_ALL=C", "SLURM_CONF=" + c.conf()}
}

// Try runs one of the cluster's commands and returns what it says, whatever happens.
func (c *Cluster) Try(name string, args ...string) string {
	cmd := exec.Command(name, args...)
	cmd.Env = c.Env()
	out, _ := cmd.CombinedOutput()
	return string(out)
}

// Run runs one of the cluster's commands, which must succeed.
func (c *Cluster) Run(name string, args ...string) string {
	c.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = c.Env()
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// Await waits until something is so.
func (c *Cluster) Await(limit time.Duration, what string, so func() bool) {
	c.t.Helper()
	for until := time.Now().Add(limit); !so(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(until) {
			c.t.Fatalf("waited %s for %s\n%s\n%s\n%s", limit, what, c.Try("sinfo", "-N", "-l"), c.Try("squeue"), c.logs())
		}
	}
}

// logs are the last lines of what the daemons say.
func (c *Cluster) logs() string {
	var all strings.Builder
	names, _ := filepath.Glob(filepath.Join(c.Dir, "log", "*"))
	for _, name := range names {
		text, _ := os.ReadFile(name)
		fmt.Fprintf(&all, "%s:\n%s\n", filepath.Base(name), text[max(0, len(text)-6000):])
	}
	return all.String()
}

// Said are the lines of the controller's log that match an expression.
func (c *Cluster) Said(expression string) string {
	text, _ := os.ReadFile(filepath.Join(c.Dir, "log", "slurmctld.log"))
	return strings.Join(regexp.MustCompile("(?im)^.*("+expression+").*$").FindAllString(string(text), -1), "\n")
}

// starter starts processes on a thread that ends when the cluster does: the kernel
// ends what asks to end with its parent when the thread ends that started it.
func (c *Cluster) starter() {
	runtime.LockOSThread()
	for start := range c.starts {
		start()
	}
}

// daemon starts a process of the cluster that ends with this one.
func (c *Cluster) daemon(as string, env []string, argv ...string) *exec.Cmd {
	c.t.Helper()
	out, err := os.OpenFile(filepath.Join(c.Dir, "log", filepath.Base(argv[0])+".out"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		c.t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = slices.Concat(c.Env(), env)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if as != "" {
		uid, gid := ids(c.t, as)
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	started := make(chan error)
	c.starts <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		c.t.Fatal(err)
	}
	return cmd
}

func (c *Cluster) startMunged() {
	at := func(name string) string { return filepath.Join(c.Dir, "munge", name) }
	c.munged = c.daemon("munge", nil, "munged", "--foreground", "--num-threads=2", "--key-file="+at("key"), "--socket="+at("sock"),
		"--pid-file="+at("pid"), "--log-file="+at("log"), "--seed-file="+at("seed"))
	c.Await(10*time.Second, "munged's socket", func() bool {
		_, err := os.Stat(at("sock"))
		return err == nil
	})
}

// end ends all that the cluster started, and its jobs.
func (c *Cluster) end() {
	if c.t.Failed() {
		c.t.Log(c.logs())
	}
	// First the nodes, so that no more jobs begin.
	for _, cmd := range append(slices.Clone(c.nodes), c.controller, c.munged) {
		kill(cmd)
	}
	for range 50 {
		left := c.processes("")
		if len(left) == 0 {
			break
		}
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if left := c.processes(""); len(left) > 0 {
		c.t.Errorf("processes %v of the cluster are left", left)
	}
	close(c.starts)
	c.removeCgroups()
	os.RemoveAll(c.Dir)
}

// kill ends a process and waits until it is gone; nil and ended ones are left.
func kill(cmd *exec.Cmd) {
	if cmd != nil && cmd.ProcessState == nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// install brings Slurm here by the names of its packages.
func install() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("its daemons are started by root")
	}
	lock, err := os.OpenFile(filepath.Join(os.TempDir(), "slurmtest.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	if _, err := lookAll("munged", "slurmctld", "slurmd", "sbatch"); err == nil {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return err
	}
	for _, args := range [][]string{{"update"}, {"install", "-y", "--no-install-recommends", "munge", "slurmctld", "slurmd", "slurm-client"}} {
		cmd := exec.Command("apt-get", append([]string{"-o", "DPkg::Lock::Timeout=300"}, args...)...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %v: %w\n%s", args, err, out)
		}
	}
	_, err = lookAll("munged", "slurmctld", "slurmd", "sbatch")
	return err
}

func lookAll(names ...string) (path string, err error) {
	for _, name := range names {
		if path, err = exec.LookPath(name); err != nil {
			return "", err
		}
	}
	return path, nil
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
	return ports
}

func ids(t testing.TB, name string) (uid, gid int) {
	t.Helper()
	who, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, _ = strconv.Atoi(who.Uid)
	gid, _ = strconv.Atoi(who.Gid)
	return uid, gid
}
