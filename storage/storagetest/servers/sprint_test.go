package servers

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// plan is the quickstart's, which the README begins with.
const plan = "../../../examples/quickstart/plan.yaml"

// sprint is the program as its users have it, on one store.
type sprint struct {
	program, store string
	env            []string
}

// buildSprint builds the program for the rest of the test.
func buildSprint(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "sprint")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./jobs/sprint")
	cmd.Dir = "../../.."
	cmd.Env = append(os.Environ(), "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// with returns the same program with more in its environment.
func (s sprint) with(env ...string) sprint {
	s.env = append(append([]string{}, s.env...), env...)
	return s
}

// command is a command on the store. A run writes JSON.
func (s sprint) command(ctx context.Context, words ...string) (cmd *exec.Cmd, stdout, stderr *bytes.Buffer) {
	words = append(words, "--store", s.store)
	if words[0] == "run" {
		words = append(words, "-o", "json")
	}
	cmd = exec.CommandContext(ctx, s.program, words...)
	cmd.Env = append(os.Environ(), s.env...)
	endWithParent(cmd)
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, stdout, stderr
}

// ends runs a command, wants an exit code and texts in what it says, and returns
// its standard output.
func (s sprint) ends(t *testing.T, code int, words []string, texts ...string) string {
	t.Helper()
	cmd, stdout, stderr := s.command(t.Context(), words...)
	began := time.Now()
	err := cmd.Run()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
		t.Fatalf("%v: %v, want code %d\n%s%s", words, err, code, stdout, stderr)
	}
	t.Logf("%v: %s", words, time.Since(began).Round(time.Millisecond))
	for _, text := range texts {
		if !strings.Contains(stdout.String()+stderr.String(), text) {
			t.Errorf("%v: no %q in:\n%s%s", words, text, stdout, stderr)
		}
	}
	return stdout.String()
}

// runs runs the quickstart to its end, wants its stages' states in their order, and
// returns the digests of the outputs that do not depend on how a run went.
func (s sprint) runs(t *testing.T, states string, more ...string) map[string]string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(s.ends(t, 0, append([]string{"run", plan}, more...))), "\n")
	var r struct {
		Stages []struct {
			Name, State string
			Outputs     map[string]struct {
				Digest   string
				Volatile bool
			}
		}
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
		t.Fatalf("%v: %s", err, lines[len(lines)-1])
	}
	got, digests := "", map[string]string{}
	for _, stage := range r.Stages {
		got += " " + stage.State
		for name, o := range stage.Outputs {
			if !o.Volatile {
				digests[stage.Name+"."+name] = o.Digest
			}
		}
	}
	if got = strings.TrimSpace(got); got != states {
		t.Fatalf("the stages are %s, not %s", got, states)
	}
	return digests
}

// times is a state of n stages.
func times(n int, state string) string {
	return strings.TrimSpace(strings.Repeat(state+" ", n))
}

// killed begins the quickstart and ends it as kill -9 does when the server's folder
// holds as many objects as wanted that match the pattern.
func (s sprint) killed(t *testing.T, pattern string, wanted int, more ...string) {
	t.Helper()
	cmd, stdout, stderr := s.command(t.Context(), append([]string{"run", plan}, more...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) >= wanted {
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("the run ended by itself: %v\n%s%s", err, stdout, stderr)
		case <-time.After(20 * time.Millisecond):
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	if code := cmd.ProcessState.ExitCode(); code != -1 {
		t.Fatalf("the run ended with %d before it was killed\n%s", code, stderr)
	}
}

// TestSprint runs the program itself on the server.
func TestSprint(t *testing.T) {
	program := buildSprint(t)
	t.Run("append-only", func(t *testing.T) { testAppendOnly(t, program) })
	t.Run("signed", func(t *testing.T) { testSigned(t, program) })
}
