//go:build unix

package main

import (
	"context"
	"os"
	osexec "os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestActionStops: the signals that end a step, which go to its shell alone, reach the
// program whenever they come, and the step ends as that does, or as interrupted.
func TestActionStops(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"sprint": `#!/bin/sh
echo "$*" >> calls
trap 'sleep $SAVING; echo checkpoint >> calls; exit 75' TERM
touch began
n=0; while [ $n -lt $STEPS ]; do sleep 0.01; n=$((n+1)); done
echo done >> calls; exit 5
`})
	if err := os.Chmod(filepath.Join(dir, "sprint"), 0o755); err != nil {
		t.Fatal(err)
	}
	var a actionFile
	decodeYAML(t, filepath.Join(actionFolder(t), "action.yml"), &a)
	step := stepFile(t, a.Runs.Steps[len(a.Runs.Steps)-1].Run)
	began := filepath.Join(dir, "began")
	for try := range 80 {
		_, _ = os.Remove(filepath.Join(dir, "calls")), os.Remove(began)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := osexec.CommandContext(ctx, "bash", "--noprofile", "--norc", "-eo", "pipefail", step)
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "GITHUB_ACTION_PATH=" + actionFolder(t), "STEPS=1000", "SAVING=0.1"}
		atEnd := try%4 != 0
		if atEnd {
			cmd.Env = append(cmd.Env, "STEPS=1", "SAVING=0")
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// As soon as the program can be told: the script may not know of it yet.
		for _, err := os.Stat(began); err != nil && ctx.Err() == nil; _, err = os.Stat(began) {
			runtime.Gosched()
		}
		signals := []os.Signal{syscall.SIGINT}
		if atEnd {
			time.Sleep(time.Duration(try%30) * time.Millisecond)
			signals = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGTERM}
		}
		for _, s := range signals {
			_ = cmd.Process.Signal(s) // it may have ended
			time.Sleep(time.Millisecond)
		}
		_ = cmd.Wait() // its code is asked below
		cancel()
		data, _ := os.ReadFile(filepath.Join(dir, "calls")) // what it says is asked below
		_, said, _ := strings.Cut(string(data), "\n")
		if code := cmd.ProcessState.ExitCode(); !atEnd && said != "checkpoint\n" || said == "" || code != 75 && (code != 5 || !strings.Contains(said, "done")) {
			t.Fatalf("try %d ends with %d after\n%s", try, code, data)
		}
	}
}
