//go:build unix

package command_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/command"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

func sh(script string) *command.Options {
	return &command.Options{Argv: []string{script}, Shell: true, Grace: 200 * time.Millisecond}
}

func run(t *testing.T, o *command.Options, inputs map[string]any) *stagetest.Result {
	t.Helper()
	return stagetest.Run(t, stagetest.Case{Kind: command.Kind(), Options: o, Inputs: inputs, Env: guards})
}

func TestFilesInAndOut(t *testing.T) {
	dir := stagetest.WriteFiles(t, map[string]string{"clean.sh": "tr a-z A-Z < \"$1\" > \"$2\"\nmkdir -p \"$SPRINT_OUTPUTS/many/sub\"\nprintf x > \"$SPRINT_OUTPUTS/many/sub/f\"\n"})
	o := &command.Options{Argv: []string{"sh", "{files.clean.sh}", "{inputs.articles}", "{outputs.cleaned}"}, Files: []string{filepath.Join(dir, "clean.sh")},
		Inputs: []string{"articles"}, Outputs: []string{"cleaned", "many"}}
	r := run(t, o, map[string]any{"articles": "abc"})
	if r.Err != nil || string(r.File(t, "cleaned")) != "ABC" || string(r.Tree(t, "many")["sub/f"]) != "x" {
		t.Errorf("%v %v", r.Err, r.Outputs)
	}
}

func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		o    *command.Options
		code stages.Code
		says string
	}{
		"exit":      {sh("echo why >&2; exit 7"), stages.CodeStage, "exit status 7: why"},
		"no output": {func() *command.Options { o := sh("true"); o.Outputs = []string{"x"}; return o }(), stages.CodeStage, "left no output x"},
		"link":      {func() *command.Options { o := sh("ln -s /etc $SPRINT_OUTPUTS/x"); o.Outputs = []string{"x"}; return o }(), stages.CodeStage, "no plain file"},
		"absent":    {&command.Options{Argv: []string{"no-such-program-here"}}, stages.CodeEnvironment, "cannot start"},
	} {
		r := run(t, c.o, nil)
		var f *stages.Failure
		if !errors.As(r.Err, &f) || f.Code != c.code || !strings.Contains(r.Err.Error(), c.says) {
			t.Errorf("%s: %v", name, r.Err)
		}
	}
}

func TestEnvironmentAndSecrets(t *testing.T) {
	t.Setenv("HIDDEN", "no")
	t.Setenv("SHOWN", "yes")
	t.Setenv("TOKEN", "s3cret")
	o := sh(`echo "hidden=$HIDDEN shown=$SHOWN key=$KEY"`)
	o.Env, o.Secrets = []string{"SHOWN"}, map[string]string{"KEY": "env:TOKEN"}
	r := run(t, o, nil)
	if r.Err != nil || !strings.Contains(r.Log, "hidden= shown=yes key=***") || strings.Contains(r.Log, "s3cret") {
		t.Errorf("%v %s", r.Err, r.Log)
	}
}

func TestCancelEndsTheGroup(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			if b, _ := os.ReadFile(pidFile); len(b) > 0 {
				cancel()
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	o := sh(`trap "" TERM; (trap "" TERM; echo $BASHPID > /dev/null; sleep 60) & echo $! > ` + pidFile + `; wait; sleep 60`)
	r := stagetest.Run(t, stagetest.Case{Kind: command.Kind(), Options: o, Context: ctx, Env: guards})
	if !errors.Is(r.Err, context.Canceled) {
		t.Fatal(r.Err)
	}
	b, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	if !gone(pid) {
		t.Errorf("the child %d is still alive", pid)
	}
}

// A runner that dies without a word leaves no program behind, nor the
// children of its children, below a guard or in a group.
func TestKilledRunnerTakesTheGroupWithIt(t *testing.T) {
	const script = `trap "" TERM HUP; (trap "" TERM HUP; (sleep 60 & echo $! >> FILE; wait) & echo $! >> FILE; wait) & echo $! >> FILE; echo $$ >> FILE; wait; sleep 60`
	for _, guards := range []string{"all", "none"} {
		cmd, pids := playRunner(t, script, 4, "COMMAND_TEST_GUARDS="+guards)
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		allGone(t, pids)
	}
}

// playRunner runs a script in a runner that can be killed, and waits for the process
// ids that it writes to FILE.
func playRunner(t *testing.T, script string, count int, env ...string) (runner *exec.Cmd, pids []int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pids")
	runner = exec.Command(os.Args[0])
	runner.Env = append(append(os.Environ(), "TMPDIR="+t.TempDir(), "COMMAND_TEST_SCRIPT="+strings.ReplaceAll(script, "FILE", file)), env...)
	if err := runner.Start(); err != nil {
		t.Fatal(err)
	}
	return runner, pidsIn(t, file, count)
}

// pidsIn waits for a file that holds so many lines with a process id each.
func pidsIn(t *testing.T, file string, count int) (pids []int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		b, err := os.ReadFile(file)
		if strings.Count(string(b), "\n") >= count {
			for _, w := range strings.Fields(string(b)) {
				pid, err := strconv.Atoi(w)
				if err != nil {
					t.Fatal(err)
				}
				pids = append(pids, pid)
			}
			return pids
		}
		if time.Now().After(end) {
			t.Fatalf("%q in %s, %v", b, file, err)
		}
	}
}

// allGone fails if one of some processes lives on, and ends it.
func allGone(t *testing.T, pids []int) {
	t.Helper()
	var all sync.WaitGroup
	for _, pid := range pids {
		all.Go(func() {
			if !gone(pid) {
				t.Errorf("process %d outlives its stage", pid)
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		})
	}
	all.Wait()
}

// gone waits until a process has ended.
func gone(pid int) bool {
	for range 500 {
		if stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err == nil && strings.Contains(string(stat), ") Z") {
			return true // killed, waiting for its new parent
		}
		if syscall.Kill(pid, 0) != nil {
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

func TestCheck(t *testing.T) {
	o := &command.Options{Argv: []string{"a", "{inputs.x}"}, Shell: true, Outputs: []string{"Y"}, Env: []string{"A=B"}, Secrets: map[string]string{"K": "plain"}}
	if p := o.Check(); len(p) != 5 {
		t.Errorf("%v", p)
	}
}
