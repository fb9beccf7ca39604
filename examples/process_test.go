//go:build e2e || quality

package examples

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sprint-ml/sprint/stages/stagetest"
)

// result is what `-o json` ends with; outside programs rely on these names.
type result struct {
	Run    *string `json:"run"`
	Code   int     `json:"code"`
	Stages []struct {
		Name, Kind, State, Reason, Device string
		Outputs                           map[string]struct {
			Digest   string
			Volatile bool
		}
	} `json:"stages"`
	Continue string `json:"continue"`
	Error    string `json:"error"`
}

func (r result) states() string {
	var s []string
	for _, x := range r.Stages {
		s = append(s, x.State)
	}
	return strings.Join(s, " ")
}

// digests are the outputs that must not depend on how a run went.
func (r result) digests() map[string]string {
	out := map[string]string{}
	for _, s := range r.Stages {
		for name, o := range s.Outputs {
			if !o.Volatile {
				out[s.Name+"."+name] = o.Digest
			}
		}
	}
	return out
}

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "sprint-e2e-*")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "sprint")
	out, err := exec.Command("go", "build", "-o", bin, "../jobs/sprint").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return bin, nil
})

func sprint(t *testing.T) string {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// start begins a run with JSON output.
func start(t *testing.T, store, plan string, args ...string) (cmd *exec.Cmd, stdout, stderr *stagetest.Buffer) {
	t.Helper()
	cmd = exec.Command(sprint(t), append([]string{"run", plan, "--store", store, "-o", "json"}, args...)...)
	stdout, stderr = &stagetest.Buffer{}, &stagetest.Buffer{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, stdout, stderr
}

// told reads the last line of what a run prints.
func told(stdout string) (r result, err error) {
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
		return r, fmt.Errorf("last line %q: %w", lines[len(lines)-1], err)
	}
	return r, nil
}

func finish(t *testing.T, cmd *exec.Cmd, stdout, stderr *stagetest.Buffer) result {
	t.Helper()
	_ = cmd.Wait()
	r, err := told(stdout.String())
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	if r.Code != cmd.ProcessState.ExitCode() {
		t.Errorf("result says code %d, the process ended with %d", r.Code, cmd.ProcessState.ExitCode())
	}
	return r
}

func run(t *testing.T, store, plan string, args ...string) result {
	t.Helper()
	cmd, out, err := start(t, store, plan, args...)
	return finish(t, cmd, out, err)
}
