//go:build unix

package main

import (
	"bufio"
	"errors"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

const talkPlan = `name: talk
stages:
  - name: first
    kind: command
    with: {shell: true, argv: ["echo once"]}
  - name: talk
    kind: command
    with: {shell: true, argv: ["sleep 1000 & echo child $!; wait"]}
`

// A process with nothing but the store's URL follows a run while it goes on.
// When its runner is killed, nothing that a stage began lives on, the log is
// there, and the follower ends with 75 and the command that continues.
func TestFollowFromAnotherProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"plan.yaml": talkPlan})
	store := filepath.Join(dir, "s")
	runner := program(dir, "run", "--store", store)
	if err := runner.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	defer func() {
		if !ended {
			_ = runner.Process.Kill()
			_ = runner.Wait()
		}
	}()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		out, err := program(dir, "logs", "--store", store).Output()
		if err == nil && strings.Contains(string(out), "once") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("there is no run to follow: %v: %s", err, out)
		}
	}
	follower := program(t.TempDir(), "logs", "-f", "--store", store)
	stderr := &strings.Builder{}
	follower.Stderr = stderr
	stdout, err := follower.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := follower.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(endTime, func() { _ = follower.Process.Kill() })
	defer late.Stop()
	lines := bufio.NewScanner(stdout)
	child := 0
	for child == 0 && lines.Scan() {
		if m := regexp.MustCompile(`child (\d+)`).FindStringSubmatch(lines.Text()); m != nil {
			child, _ = strconv.Atoi(m[1])
		}
	}
	if child == 0 {
		t.Fatal("the follower ended: " + stderr.String())
	}
	_ = runner.Process.Kill()
	_ = runner.Wait()
	ended = true
	for lines.Scan() {
	}
	err = follower.Wait()
	var exit *osexec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 75 || !strings.Contains(stderr.String(), "sprint run --store") {
		t.Errorf("the follower ends with %v: %s", err, stderr)
	}
	if ends(child) {
		return
	}
	t.Errorf("process %d lives on after its runner", child)
}

// logs -f ends with the code of the run; what cannot be followed is usage.
func TestLogsCodes(t *testing.T) {
	dir := demo(t, map[string]string{"rows.jsonl": ""})
	if code, _, stderr := exec(t, dir, "run"); code != 11 {
		t.Fatal(code, stderr)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"logs"}, 0, ""},
		{[]string{"logs", "-f"}, 11, "code 11"},
		{[]string{"logs", "-f", "fetch"}, 11, "code 11"},
		{[]string{"logs", "fetch"}, 0, ""},
		{[]string{"logs", "fetsh"}, 2, "it tried fetch"},
		{[]string{"logs", "20990101-000000-abcdef"}, 2, "sprint runs"},
		{[]string{"logs", "../x", "fetch"}, 2, "sprint runs"},
		{[]string{"logs", "fetch", "--stage", "label"}, 2, "two stages"},
	} {
		if code, _, stderr := exec(t, dir, c.args...); code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%v ends with %d: %s", c.args, code, stderr)
		}
	}
}
