//go:build e2e && linux

package ssh

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor/ssh/sshtest"
)

// TestCloseEndsConnections: a pool that is closed leaves neither a socket nor the process
// behind it, which would go on for a minute.
func TestCloseEndsConnections(t *testing.T) {
	hosts := sshtest.Start(t, 2)
	p, err := New("gpu", Options{Hosts: hosts.Names, Slots: 1, Folder: "jobs", Config: hosts.Config, LostTime: time.Minute}, os.Getenv, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range hosts.Names {
		if _, err := p.output(t.Context(), host, "true", nil, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if sockets, err := os.ReadDir(p.control); err != nil || len(sockets) != len(hosts.Names) {
		t.Fatalf("the connections are not shared: %v, %v", sockets, err)
	}
	if before := connections(t, p.control); len(before) != len(hosts.Names) {
		t.Fatalf("processes %q hold the connections", before)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p.control); !os.IsNotExist(err) {
		t.Errorf("the folder of sockets is there: %v", err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		left := connections(t, p.control)
		if len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("processes %q are left", left)
		}
	}
}

// connections are the command lines of processes that name the folder of sockets: ssh
// shows it as "ssh: FOLDER/SOCKET [mux]".
func connections(t *testing.T, control string) (all []string) {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range lines {
		if line, err := os.ReadFile(path); err == nil && strings.Contains(string(line), control) {
			all = append(all, string(line))
		}
	}
	return all
}
