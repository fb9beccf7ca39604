// Package sshtest starts real OpenSSH servers on this machine's loopback, each a host
// with a home folder and a key of its own, for tests.
package sshtest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Hosts are servers that were started.
type Hosts struct {
	Names []string
	// Config is ssh's configuration file, in which each name is known, with its key.
	Config string
	// Known is the file of known hosts.
	Known string

	dir     string
	servers []*exec.Cmd
}

// Start starts n servers, which end with the test; what they run has the variables env.
// Where there is no sshd the test is skipped, or fails under CI.
func Start(t testing.TB, n int, env ...string) *Hosts {
	t.Helper()
	sshd := find(t)
	// The path of a socket is short, and a test's folder is not.
	dir, err := os.MkdirTemp("", "sshd-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	h := &Hosts{dir: dir, Config: filepath.Join(dir, "config"), Known: filepath.Join(dir, "known_hosts")}
	run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, "id"))
	var config, known strings.Builder
	for i := range n {
		name := fmt.Sprintf("n%d", i+1)
		port := h.serve(t, sshd, name, env)
		key, err := os.ReadFile(filepath.Join(dir, name, "key.pub"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&config, "Host %s\n\tHostName 127.0.0.1\n\tPort %d\n\tIdentityFile %s\n\tIdentitiesOnly yes\n\tUserKnownHostsFile %s\n", name, port, filepath.Join(dir, "id"), h.Known)
		fmt.Fprintf(&known, "[127.0.0.1]:%d %s", port, key)
		h.Names = append(h.Names, name)
	}
	write(t, h.Config, config.String())
	write(t, h.Known, known.String())
	return h
}

// find finds the server, which must be started by its whole path.
func find(t testing.TB) string {
	t.Helper()
	for _, path := range []string{"/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"} {
		if _, err := os.Stat(path); err == nil {
			if _, err := exec.LookPath("ssh"); err == nil {
				return path
			}
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("there is no sshd: apt-get install openssh-server openssh-client") // .ci/run does
	}
	t.Skip("there is no sshd: apt-get install openssh-server openssh-client")
	return ""
}

// serve starts one server and waits until it answers.
func (h *Hosts) serve(t testing.TB, sshd, name string, env []string) int {
	t.Helper()
	dir := filepath.Join(h.dir, name)
	if err := os.MkdirAll(h.Home(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 { // where it separates its rights
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, "key"))
	port := freePort(t)
	write(t, filepath.Join(dir, "sshd_config"), fmt.Sprintf(`ListenAddress 127.0.0.1:%d
HostKey %s/key
PidFile %s/pid
AuthorizedKeysFile %s/id.pub
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
SetEnv %s
`, port, dir, dir, h.dir, strings.Join(append([]string{"HOME=" + h.Home(name)}, env...), " ")))
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(sshd, "-D", "-e", "-f", filepath.Join(dir, "sshd_config"))
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h.servers = append(h.servers, cmd)
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		log.Close()
		if said, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s: %s", name, said[max(0, len(said)-2000):])
		}
	})
	for range 200 {
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			c.Close()
			return port
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s does not answer", name)
	return 0
}

// Home is the home folder of a host.
func (h *Hosts) Home(name string) string { return filepath.Join(h.dir, name, "home") }

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func run(t testing.TB, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
