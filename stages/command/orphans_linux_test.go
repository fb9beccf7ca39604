package command_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A process that left the program's group by setsid ends with the stage, and
// one that is none of the stage's goes on.
func TestOrphansEnd(t *testing.T) {
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("setsid is not installed")
	}
	other := exec.Command("sleep", "60")
	other.Env = append(os.Environ(), "SPRINT_OUTPUTS=/another/outputs")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = other.Process.Kill()
		_ = other.Wait() // it was killed
	}()
	file := filepath.Join(t.TempDir(), "pid")
	r := run(t, sh(`setsid sleep 60 > /dev/null 2>&1 & echo $! > `+file+`; sleep 0.2`), nil)
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	if !gone(pid) {
		t.Errorf("process %d outlives its stage", pid)
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	time.Sleep(50 * time.Millisecond)
	if err := syscall.Kill(other.Process.Pid, 0); err != nil {
		t.Errorf("a process of another stage: %v", err)
	}
}
