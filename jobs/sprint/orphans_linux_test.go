package main

import (
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestKilledRunLeavesNobody: kill -9 of a run ends its program, and what the program
// started in sessions of their own without an environment.
func TestKilledRunLeavesNobody(t *testing.T) {
	if _, err := osexec.LookPath("setsid"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("setsid is missing: install util-linux")
		}
		t.Skip("setsid is not installed")
	}
	dir := t.TempDir()
	write(t, dir, map[string]string{"plan.yaml": strings.ReplaceAll(`name: toy
stages:
  - name: one
    kind: command
    with:
      shell: true
      argv: ["setsid env -i sh -c 'echo $$ > DIR/stray; sleep 600; sleep 600' > /dev/null 2>&1 & (setsid env -i sh -c 'echo $$ > DIR/orphan; sleep 600; sleep 600' > /dev/null 2>&1 &); echo $$ > DIR/program; sleep 600; sleep 600"]
`, "DIR", dir)})
	p := startProgram(t, dir, "run")
	pids := map[string]int{}
	for _, name := range []string{"stray", "orphan", "program"} {
		pids[name] = pidIn(t, filepath.Join(dir, name))
	}
	_ = p.Process.Kill()
	_ = p.Wait() // it was killed
	for name, pid := range pids {
		if !ends(pid) {
			t.Errorf("the %s outlives the run", name)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
