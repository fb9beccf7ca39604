package kubernetestest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// machine is a node: processes in a mount namespace of their own, as the folders of
// kubelets and shims have fixed paths. What they mount goes with the last of them.
type machine struct {
	name    string
	dir     string
	port    int       // of the kubelet
	holder  *exec.Cmd // of the namespace
	runtime *exec.Cmd
	kubelet *exec.Cmd
	plugin  *exec.Cmd
}

// in is a path below the node's folder.
func (m *machine) in(path string) string { return filepath.Join(m.dir, path) }

// there reports whether a path below the node's folder is there.
func (m *machine) there(path string) func() bool {
	return func() bool { _, err := os.Stat(m.in(path)); return err == nil }
}

// inside is a command line in the node's mounts.
func (m *machine) inside(argv ...string) []string {
	return append([]string{"nsenter", "-t", fmt.Sprint(m.holder.Process.Pid), "-m"}, argv...)
}

// node is the name of the n-th node.
func node(n int) string { return fmt.Sprintf("gpu%d", n+1) }

// StartNode starts a node, counted from 0, after KillNode.
func (c *Cluster) StartNode(n int) {
	c.t.Helper()
	c.bootNode(n)
	c.awaitNode(n)
}

// KillNode ends a node and all that runs on it at once, as a loss of power does.
func (c *Cluster) KillNode(n int) {
	c.t.Helper()
	c.stop(c.nodes[n])
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

func (c *Cluster) stop(m *machine) {
	for _, cmd := range []*exec.Cmd{m.kubelet, m.runtime} { // before they start what ends
		if cmd != nil && cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
		}
	}
	if left := c.endAll(m.name); len(left) > 0 {
		c.t.Errorf("processes %v of the node %s do not end", left, m.name)
	}
	for _, cmd := range []*exec.Cmd{m.kubelet, m.runtime, m.plugin, m.holder} {
		kill(cmd)
	}
}

// hold makes a node's mounts and keeps them: /var/lib/kubelet from a folder of its own,
// an empty /run/containerd, as after every start of a machine.
const hold = `set -eu
mkdir -p /var/lib/kubelet /run/containerd
mount --bind "$1/kubelet" /var/lib/kubelet
mount -t tmpfs tmpfs /run/containerd
touch "$1/held"
exec sleep infinity
`

// bootNode starts the processes of a node.
func (c *Cluster) bootNode(n int) {
	c.t.Helper()
	c.bootRuntime(c.nodes[n])
	c.bootKubelet(c.nodes[n])
}

// bootRuntime starts what keeps a node's containers, and gives it their image.
func (c *Cluster) bootRuntime(m *machine) {
	c.t.Helper()
	for _, name := range []string{"kubelet", "network", "logs"} {
		c.must(os.MkdirAll(m.in(name), 0o755))
	}
	fill := strings.NewReplacer("$DIR", m.dir, "$IMAGE", c.Image, "$PORT", fmt.Sprint(m.port))
	for name, text := range map[string]string{"containerd.toml": containerdConfig, "kubelet.yaml": kubeletConfig, "network/10-none.conflist": networkConfig} {
		c.must(os.WriteFile(m.in(name), []byte(fill.Replace(text)), 0o644))
	}
	for _, name := range []string{"held", "containerd.sock", "kubelet/device-plugins/kubelet.sock"} {
		_ = os.Remove(m.in(name)) // left by a lost one
	}
	m.holder = c.daemon(m.name+".mounts", m.name, "unshare", "-m", "--propagation", "slave", "sh", "-c", hold, "sh", m.dir)
	c.Await(30*time.Second, "the mounts of "+m.name, m.there("held"))
	m.runtime = c.daemon(m.name+".containerd", m.name, m.inside("containerd", "-c", m.in("containerd.toml"))...)
	ctr := []string{"ctr", "-a", m.in("containerd.sock"), "-n", "k8s.io"}
	c.Await(time.Minute, "containerd of "+m.name, func() bool { return exec.Command(ctr[0], append(ctr[1:], "version")...).Run() == nil })
	load := m.inside(append(ctr, "images", "import", "--snapshotter", "overlayfs", c.at("image.tar"))...)
	if out, err := exec.Command(load[0], load[1:]...).CombinedOutput(); err != nil {
		c.t.Fatalf("import the image: %v\n%s", err, out)
	}
}

// bootKubelet starts what answers for a node, and what offers its GPUs.
func (c *Cluster) bootKubelet(m *machine) {
	c.t.Helper()
	m.kubelet = c.daemon(m.name+".kubelet", m.name, m.inside(c.program, "kubelet", "--config", m.in("kubelet.yaml"), "--kubeconfig", c.at("admin.yaml"),
		"--root-dir", "/var/lib/kubelet", "--hostname-override", m.name)...)
	c.Await(time.Minute, "the kubelet of "+m.name, m.there("kubelet/device-plugins/kubelet.sock"))
	m.plugin = c.daemon(m.name+".devices", m.name, c.program, "device-plugin", m.in("kubelet/device-plugins"), fmt.Sprint(c.o.GPUs))
}

// awaitNode waits until a node can take work.
func (c *Cluster) awaitNode(n int) {
	c.t.Helper()
	c.Await(2*time.Minute, "the node "+node(n), func() bool { return c.Ready(n) && c.gpus(n) == fmt.Sprint(c.o.GPUs) })
}

const containerdConfig = `version = 2
root = "$DIR/containerd"
state = "/run/containerd/state"
[grpc]
  address = "$DIR/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "$IMAGE"
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    conf_dir = "$DIR/network"
`

// networkConfig lets a node be ready. Pods use the network of their node, where the
// test's servers are.
const networkConfig = `{"cniVersion": "0.4.0", "name": "none", "plugins": [{"type": "none"}]}`

const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://$DIR/containerd.sock
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
address: 127.0.0.1
port: $PORT
readOnlyPort: 0
healthzPort: 0
failSwapOn: false
makeIPTablesUtilChains: false
localStorageCapacityIsolation: false
evictionHard: {memory.available: "0%", nodefs.available: "0%", imagefs.available: "0%", nodefs.inodesFree: "0%", imagefs.inodesFree: "0%"}
nodeStatusUpdateFrequency: 1s
nodeLeaseDurationSeconds: 4
podLogsDir: $DIR/logs
resolvConf: ""
imageGCHighThresholdPercent: 100
syncFrequency: 2s
`
