package kubernetestest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The ports of the control plane; those of the kubelets follow.
const (
	portEtcd = iota
	portPeers
	portAPI
	portController
	portScheduler
	controlPorts
)

// control are the processes of the control plane.
type control struct{ etcd, api, controllers, scheduler *exec.Cmd }

// The cluster's users.
const (
	admin  = "admin"
	driver = "driver"
)

// at is a path below the cluster's folder.
func (c *Cluster) at(path ...string) string {
	return filepath.Join(append([]string{c.Dir}, path...)...)
}

func (c *Cluster) local(scheme string, port int) string {
	return fmt.Sprintf("%s://127.0.0.1:%d", scheme, c.ports[port])
}

func (c *Cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// write makes the cluster's folder: keys, the users' tokens, and the files that say how
// they reach the API. The API's address is signed by a certificate that it makes itself.
func (c *Cluster) write() {
	c.t.Helper()
	for _, name := range []string{"log", "certs"} {
		c.must(os.Mkdir(c.at(name), 0o755))
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	c.must(err)
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	c.must(os.WriteFile(c.at("accounts.key"), text, 0o600))
	c.tokens = map[string]string{}
	var users strings.Builder
	for _, name := range []string{admin, driver} {
		token := make([]byte, 16)
		_, _ = rand.Read(token) // which never fails
		c.tokens[name] = hex.EncodeToString(token)
		group := ""
		if name == admin {
			group = `,"system:masters"`
		}
		fmt.Fprintf(&users, "%s,%s,%s%s\n", c.tokens[name], name, name, group)
		config := fmt.Sprintf(kubeconfig, c.local("https", portAPI), c.at("certs", "apiserver.crt"), c.tokens[name], c.Namespace)
		c.must(os.WriteFile(c.at(name+".yaml"), []byte(config), 0o600))
	}
	c.must(os.WriteFile(c.at("users.csv"), []byte(users.String()), 0o600))
	// The API reaches kubelets by the names of their nodes.
	hosts := "127.0.0.1 localhost"
	for n := range c.o.Nodes {
		hosts += " " + node(n)
	}
	c.must(os.WriteFile(c.at("hosts"), []byte(hosts+"\n"), 0o644))
}

const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "%s", certificate-authority: "%s"}}]
users: [{name: test, user: {token: "%s"}}]
contexts: [{name: test, context: {cluster: test, user: test, namespace: %s}}]
current-context: test
`

// startControl starts the control plane.
func (c *Cluster) startControl() {
	c.t.Helper()
	client, peers := c.local("http", portEtcd), c.local("http", portPeers)
	c.control.etcd = c.daemon("etcd", "", c.program, "etcd", "--data-dir="+c.at("etcd"), "--unsafe-no-fsync", "--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peers, "--initial-advertise-peer-urls="+peers, "--initial-cluster=default="+peers)
	c.control.api = c.daemon("apiserver", "", "unshare", "-m", "--propagation", "slave", "sh", "-c", `mount --bind "$0" /etc/hosts && exec "$@"`, c.at("hosts"),
		c.program, "kube-apiserver", "--etcd-servers="+client, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", fmt.Sprint("--secure-port=", c.ports[portAPI]),
		"--cert-dir="+c.at("certs"), "--service-account-issuer="+c.local("https", portAPI), "--service-account-key-file="+c.at("accounts.key"),
		"--service-account-signing-key-file="+c.at("accounts.key"), "--token-auth-file="+c.at("users.csv"), "--authorization-mode=RBAC",
		"--service-cluster-ip-range=10.96.0.0/24", "--endpoint-reconciler-type=none", "--kubelet-preferred-address-types=Hostname",
		"--disable-admission-plugins=ServiceAccount", "--enable-priority-and-fairness=false")
	c.Await(2*time.Minute, "the API", func() bool { return c.Call(http.MethodGet, "/readyz", nil, nil) == http.StatusOK })
	c.StartController()
	c.control.scheduler = c.daemon("scheduler", "", c.program, "kube-scheduler", "--kubeconfig="+c.at("admin.yaml"), "--bind-address=127.0.0.1",
		fmt.Sprint("--secure-port=", c.ports[portScheduler]), "--cert-dir="+c.at("certs", "scheduler"), "--leader-elect=false", "--authentication-skip-lookup=true")
}

// StartController starts the controllers, at first or after KillController. A node that
// says nothing for eight seconds is lost.
func (c *Cluster) StartController() {
	c.t.Helper()
	c.control.controllers = c.daemon("controller", "", c.program, "kube-controller-manager", "--kubeconfig="+c.at("admin.yaml"), "--bind-address=127.0.0.1",
		fmt.Sprint("--secure-port=", c.ports[portController]), "--cert-dir="+c.at("certs", "controller"), "--leader-elect=false", "--authentication-skip-lookup=true",
		"--service-account-private-key-file="+c.at("accounts.key"), "--use-service-account-credentials=false", "--allocate-node-cidrs=false",
		"--node-monitor-period=1s", "--node-monitor-grace-period=8s", "--controllers="+strings.Join(needed, ","))
}

// needed are the controllers that jobs have to do with.
var needed = []string{
	"job-controller", "node-lifecycle-controller", "taint-eviction-controller", "pod-garbage-collector-controller",
	"ttl-after-finished-controller", "garbage-collector-controller", "namespace-controller", "persistentvolume-binder-controller",
}

// KillController ends the controllers as kill -9 does.
func (c *Cluster) KillController() { kill(c.control.controllers) }
