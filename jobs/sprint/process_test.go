//go:build unix

package main

import (
	"errors"
	"os"
	osexec "os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/stages/stagetest"
)

// program is the program as a process, in folder dir.
func program(dir string, args ...string) *osexec.Cmd {
	cmd := osexec.Command(os.Args[0], args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "SPRINT_TEST_PROGRAM=1")
	return cmd
}

// process is a sprint that runs.
type process struct {
	*osexec.Cmd
	said stagetest.Buffer
}

func startProgram(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	return launch(t, program(dir, args...))
}

func launch(t *testing.T, cmd *osexec.Cmd) *process {
	t.Helper()
	p := &process{Cmd: cmd}
	p.Stdout, p.Stderr, p.WaitDelay = &p.said, &p.said, endTime // for what it left behind with its output
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.ProcessState == nil {
			_ = p.Process.Kill()
			_ = p.Wait()
		}
	})
	return p
}

// says waits until the process has written a text.
func (p *process) says(t *testing.T, want string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !strings.Contains(p.said.String(), want); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %q in:\n%s", want, p.said.String())
		}
	}
}

// endTime is far more than a process takes to end, and less than all tests of a package may.
const endTime = 3 * time.Minute

// code waits for the end.
func (p *process) code(t *testing.T) int {
	t.Helper()
	late := time.AfterFunc(endTime, func() { _ = p.Process.Kill() })
	err := p.Wait()
	if !late.Stop() {
		t.Fatalf("%q has not ended after %s:\n%s", p.Args, endTime, p.said.String())
	}
	if exit := (*osexec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return p.ProcessState.ExitCode()
}

// pidIn waits for a file that holds a process id.
func pidIn(t *testing.T, file string) int {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		b, err := os.ReadFile(file)
		if pid, bad := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && bad == nil {
			return pid
		}
		if time.Now().After(end) {
			t.Fatalf("no process id in %s: %v", file, err)
		}
	}
}

// ends reports whether a process ends soon.
func ends(pid int) bool {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return true
		}
		if stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err == nil && strings.Contains(string(stat), ") Z") {
			return true // killed, waiting for its new parent
		}
	}
	return false
}
