//go:build unix

package main

import (
	"encoding/json"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// interruptPlan has a stage that is done, one that does BODY until the file
// DIR/go is there, and one that needs it.
const interruptPlan = `name: toy
stages:
  - name: first
    kind: command
    with: {argv: ["echo one > $SPRINT_OUTPUTS/a"], shell: true, outputs: [a]}
  - name: slow
    kind: command
    retry: {failure: 1, wait: 10m}
    with: {argv: ["echo $$ > DIR/pid; BODY; echo two > $SPRINT_OUTPUTS/b"], shell: true, inputs: [a], outputs: [b], grace: 5m}
  - name: last
    kind: command
    with: {argv: ["cat $SPRINT_INPUTS/b > $SPRINT_OUTPUTS/c"], shell: true, inputs: [b], outputs: [c]}
`

// A run that is asked to end, by whatever and whatever it does, says so in its
// code and records, leaves neither processes nor leases behind, and is
// continued by the same command.
func TestInterruptions(t *testing.T) {
	// Who runs the tests under nohup has them ignore SIGHUP, and so would the programs
	// that they start: one that is caught here is not ignored there.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(caught) })
	const (
		sleeps   = "[ -e DIR/go ] || { sleep 600 & sleep 600; }"
		stubborn = "trap '' TERM INT HUP; while [ ! -e DIR/go ]; do sleep 0.05; done"
		fails    = "[ -e DIR/go ] || { echo oh no >&2; exit 3; }"
	)
	signals := func(s ...syscall.Signal) func(*testing.T, string, *process) {
		return func(t *testing.T, _ string, p *process) {
			for i, one := range s {
				if err := p.Process.Signal(one); err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					p.says(t, "stopped by ")
					if len(s) > 1 {
						time.Sleep(signalGap) // a signal that comes earlier is the same request
					}
				}
			}
		}
	}
	atOnce := func(t *testing.T, _ string, p *process) {
		for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} { // of one kind, the kernel may make one
			if err := p.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	cancels := func(t *testing.T, dir string, p *process) {
		c := startProgram(t, dir, "cancel", "--reason", "enough", "--wait", "5m")
		if code := c.code(t); code != 0 || !strings.Contains(c.said.String(), "has ended: interrupted") || !strings.Contains(c.said.String(), "sprint run") {
			t.Errorf("cancel ends with %d:\n%s", code, c.said.String())
		}
	}
	for name, c := range map[string]struct {
		body   string
		until  string // the line after which the run is asked
		ask    func(t *testing.T, dir string, p *process)
		behind bool // another run does the same work
		code   int
		says   string // in the record's error
	}{
		"SIGINT":                     {sleeps, "slow       running", signals(syscall.SIGINT), false, 75, "stopped by SIGINT"},
		"SIGTERM":                    {sleeps, "slow       running", signals(syscall.SIGTERM), false, 75, "stopped by SIGTERM"},
		"closed terminal":            {sleeps, "slow       running", signals(syscall.SIGHUP), false, 75, "stopped by SIGHUP"},
		"cancel":                     {sleeps, "slow       running", cancels, false, 75, "enough"},
		"twice":                      {stubborn, "slow       running", signals(syscall.SIGINT, syscall.SIGINT), false, 130, "without waiting"},
		"process and group":          {sleeps, "slow       running", atOnce, false, 75, "stopped by SIG"},
		"SIGINT while it backs off":  {fails, "it failed, try 1 of 1 more in", signals(syscall.SIGINT), false, 75, "before that: sh ended with exit status 3: oh no"},
		"cancel while it backs off":  {fails, "it failed, try 1 of 1 more in", cancels, false, 75, "enough"},
		"SIGTERM while another does": {sleeps, "slow       waiting", signals(syscall.SIGTERM), true, 75, "stopped by SIGTERM"},
		"cancel while another does":  {sleeps, "slow       waiting", cancels, true, 75, "enough"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, map[string]string{"plan.yaml": strings.ReplaceAll(strings.Replace(interruptPlan, "BODY", c.body, 1), "DIR", dir)})
			var other *process
			if c.behind {
				other = startProgram(t, dir, "run")
				other.says(t, "slow       running")
			}
			p := startProgram(t, dir, "run")
			p.says(t, c.until)
			program := pidIn(t, filepath.Join(dir, "pid"))
			c.ask(t, dir, p)
			if code := p.code(t); code != c.code || !strings.Contains(p.said.String(), "continue with:\n         sprint run\n") {
				t.Errorf("the run ends with %d:\n%s", code, p.said.String())
			}
			checkInterrupted(t, dir, c.code, c.says)
			if other != nil {
				signals(syscall.SIGINT)(t, dir, other)
				if code := other.code(t); code != 75 {
					t.Errorf("the other run ends with %d:\n%s", code, other.said.String())
				}
			}
			if !ends(program) {
				t.Errorf("the program goes on as process %d", program)
				_ = syscall.Kill(program, syscall.SIGKILL)
			}
			late := startProgram(t, dir, "cancel")
			if code := late.code(t); code != 2 || !strings.Contains(late.said.String(), "no run of this store is live") {
				t.Errorf("a cancel after the end ends with %d:\n%s", code, late.said.String())
			}
			write(t, dir, map[string]string{"go": ""})
			again := startProgram(t, dir, "run")
			code := again.code(t)
			for _, want := range []string{"first      cached", "slow       succeeded", "last       succeeded"} {
				if code != 0 || !strings.Contains(again.said.String(), want) || strings.Contains(again.said.String(), "waiting") {
					t.Fatalf("the run after it ends with %d, want %q:\n%s", code, want, again.said.String())
				}
			}
		})
	}
}

// A run under nohup goes on when its terminal is closed.
func TestNohup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	body := "while [ ! -e DIR/go ]; do sleep 0.05; done"
	write(t, dir, map[string]string{"plan.yaml": strings.ReplaceAll(strings.Replace(interruptPlan, "BODY", body, 1), "DIR", dir)})
	cmd := program(dir, "run")
	cmd.Path, cmd.Args = "/bin/sh", append([]string{"sh", "-c", `trap "" HUP; exec "$0" "$@"`}, cmd.Args...)
	p := launch(t, cmd)
	p.says(t, "slow       running")
	pidIn(t, filepath.Join(dir, "pid"))
	if err := p.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"go": ""})
	if code := p.code(t); code != 0 {
		t.Errorf("the run ends with %d:\n%s", code, p.said.String())
	}
}

// checkInterrupted holds the newest run's record and the store's leases to what
// an interrupted run leaves.
func checkInterrupted(t *testing.T, dir string, code int, says string) {
	t.Helper()
	store, err := storage.Open(t.Context(), filepath.Join(dir, ".sprint", "store"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	ids, err := runs.List(t.Context(), store, 1)
	if err != nil || len(ids) != 1 {
		t.Fatal(ids, err)
	}
	rec, err := runs.LoadRecord(t.Context(), store, ids[0])
	if err != nil {
		t.Fatal(err)
	}
	states := ""
	for _, s := range rec.Stages {
		states += " " + s.State.String()
	}
	states = strings.Replace(states, "cached", "succeeded", 1)
	if states != " succeeded interrupted skipped" || rec.Code != stages.Code(code) || !rec.Retryable || !strings.Contains(rec.Error, says) {
		t.Errorf("the record says%s, code %d, retryable %v: %s", states, rec.Code, rec.Retryable, rec.Error)
	}
	for l, err := range store.Leases(t.Context(), "") {
		if err != nil || !l.Released && (l.Holder.Run == ids[0] || l.Name == "runs/"+ids[0]) {
			t.Errorf("lease %s is still held by %s, %v", l.Name, l.Holder, err)
		}
	}
}

// A run that was killed outright has no record, and is repeated by `sprint
// retry` all the same; one that is live is not.
func TestRetryOfAKilledRun(t *testing.T) {
	if storage.Self().Boot == "" {
		t.Skip("this system does not say when it was started, so a killed run looks live for a while")
	}
	dir := t.TempDir()
	body := "[ -e DIR/go ] || sleep 600"
	write(t, dir, map[string]string{"plan.yaml": strings.ReplaceAll(strings.Replace(interruptPlan, "BODY", body, 1), "DIR", dir)})
	p := startProgram(t, dir, "run", "--until", "slow")
	p.says(t, "slow       running")
	program := pidIn(t, filepath.Join(dir, "pid"))
	list := startProgram(t, dir, "runs", "-o", "json")
	var r catalog.Run
	if code := list.code(t); code != 0 || json.Unmarshal([]byte(list.said.String()), &r) != nil || r.State != "running" {
		t.Fatalf("runs ends with %d:\n%s", code, list.said.String())
	}
	live := startProgram(t, dir, "retry", r.Run)
	if code := live.code(t); code != 2 || !strings.Contains(live.said.String(), "is not over") {
		t.Errorf("retry of a live run ends with %d:\n%s", code, live.said.String())
	}
	_ = p.Process.Kill()
	_ = p.code(t)
	if !ends(program) {
		t.Errorf("the program outlives its killed runner as process %d", program)
	}
	write(t, dir, map[string]string{"go": ""})
	again := startProgram(t, dir, "retry", r.Run)
	if code := again.code(t); code != 0 || !strings.Contains(again.said.String(), "first      cached") || !strings.Contains(again.said.String(), "slow       succeeded") || !strings.Contains(again.said.String(), "not selected") {
		t.Errorf("retry ends with %d:\n%s", code, again.said.String())
	}
}
