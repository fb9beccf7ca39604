package command_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/command"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

// orphans starts six processes that no group and no variable tells of: each is in
// a session of its own without an environment, and deaf; half of them are orphans. Their process ids go to FILE.
const orphans = `
deaf='trap "" TERM HUP INT; echo $$ >> FILE; while :; do sleep 60; done'
for i in 1 2 3; do
  setsid env -i /bin/sh -c "$deaf" > /dev/null 2>&1 &
done
(setsid env -i /bin/sh -c "$deaf" > /dev/null 2>&1 &)
setsid env -i /bin/sh -c "
  setsid /bin/sh -c '$(echo "$deaf" | sed "s/'/'\\\\''/g")' > /dev/null 2>&1 &
  setsid /bin/sh -c '$(echo "$deaf" | sed "s/'/'\\\\''/g")' > /dev/null 2>&1 &
" > /dev/null 2>&1 &
until [ "$(grep -c . FILE)" = 6 ]; do sleep 0.01; done 2> /dev/null
`

func needSetsid(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("setsid"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("setsid is missing: install util-linux")
		}
		t.Skip("setsid is not installed")
	}
}

// TestOrphansEndWithAKilledRunner: kill -9 of the runner leaves nobody.
func TestOrphansEndWithAKilledRunner(t *testing.T) {
	needSetsid(t)
	runner, pids := playRunner(t, orphans+"sleep 60", 6)
	_ = runner.Process.Kill()
	_ = runner.Wait() // it was killed
	allGone(t, pids)
}

// TestOrphansEndWithTheStage: nobody is left when the program has ended, well or
// not, or was asked to end and did not.
func TestOrphansEndWithTheStage(t *testing.T) {
	needSetsid(t)
	for name, c := range map[string]struct {
		then   string
		cancel bool
		says   string
	}{
		"well":    {"exit 0", false, ""},
		"failure": {"exit 3", false, "exit status 3"},
		"signal":  {"kill -KILL $$", false, "signal: killed"},
		"deaf":    {"trap '' TERM; sleep 60; sleep 60", true, "context canceled"},
		"asked":   {"sleep 60", true, "context canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pids")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			pids := make(chan []int, 1)
			go func() {
				pids <- pidsIn(t, file, 6)
				if c.cancel {
					cancel()
				}
			}()
			o := sh(strings.ReplaceAll(orphans, "FILE", file) + c.then)
			r := stagetest.Run(t, stagetest.Case{Kind: command.Kind(), Options: o, Context: ctx, Env: guards})
			if c.says == "" && r.Err != nil || c.says != "" && (r.Err == nil || !strings.Contains(r.Err.Error(), c.says)) {
				t.Errorf("the stage ends with %v", r.Err)
			}
			allGone(t, <-pids)
		})
	}
}

// TestGuardKilled: a program does not outlive its guard, and the stage says why it
// failed.
func TestGuardKilled(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pids")
	r := run(t, sh(`echo $$ >> `+file+`; kill -KILL $PPID; sleep 60; sleep 60`), nil)
	if r.Err == nil || !strings.Contains(r.Err.Error(), "its guard ended: signal: killed") {
		t.Errorf("the stage ends with %v", r.Err)
	}
	allGone(t, pidsIn(t, file, 1))
}

// TestChildrenMayFinishTheirOutput: what holds the program's output may go on for
// the grace time, and what it writes is there.
func TestChildrenMayFinishTheirOutput(t *testing.T) {
	o := sh(`(sleep 0.1; echo late; echo x > $SPRINT_OUTPUTS/x) & exit 0`)
	o.Outputs, o.Grace = []string{"x"}, time.Minute
	if r := run(t, o, nil); r.Err != nil || !strings.Contains(r.Log, "late") || string(r.File(t, "x")) != "x\n" {
		t.Errorf("%v, %s", r.Err, r.Log)
	}
	o = sh(`sleep 60 & exit 0`)
	if r := run(t, o, nil); !errors.Is(r.Err, exec.ErrWaitDelay) {
		t.Errorf("one that does not end: %v", r.Err)
	}
}

// TestGuardedProgramSeesNoGuard: the files and signals of a guard are not its
// program's, and a program that cannot be started fails as without one.
func TestGuardedProgramSeesNoGuard(t *testing.T) {
	r := run(t, sh(`ls /proc/self/fd | tr '\n' ' '; grep -E 'SigIgn|SigBlk' /proc/self/status`), nil)
	bare := stagetest.Run(t, stagetest.Case{Kind: command.Kind(), Options: sh(`ls /proc/self/fd | tr '\n' ' '; grep -E 'SigIgn|SigBlk' /proc/self/status`)})
	line := func(log string) (out []string) {
		for l := range strings.Lines(log) {
			if _, said, ok := strings.Cut(l, "line="); ok {
				out = append(out, said)
			}
		}
		return out
	}
	if got, want := strings.Join(line(r.Log), ""), strings.Join(line(bare.Log), ""); r.Err != nil || got != want || want == "" {
		t.Errorf("%v; below a guard %s, without %s", r.Err, got, want)
	}
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, []byte("#!/nowhere/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, env := range []func(*stages.Env){guards, nil} {
		r := stagetest.Run(t, stagetest.Case{Kind: command.Kind(), Options: &command.Options{Argv: []string{file}, Grace: time.Second}, Env: env})
		var f *stages.Failure
		if !errors.As(r.Err, &f) || f.Code != stages.CodeEnvironment || !errors.Is(r.Err, syscall.ENOENT) || !strings.Contains(r.Err.Error(), "fork/exec "+file) {
			t.Errorf("%v", r.Err)
		}
	}
}
