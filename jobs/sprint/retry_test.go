package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// A record of a hostile store makes retry no other command than run.
func TestRetryRunsOnlyRuns(t *testing.T) {
	dir := t.TempDir()
	store, target := filepath.Join(dir, "store"), filepath.Join(dir, "made")
	s, err := storage.Open(t.Context(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, args := range [][]string{{"init", target}, {"--store", "run", "init", target}, {"retry", "20260102-150405-0660185f"}, nil} {
		record, err := json.Marshal(map[string]any{"plan": "p", "run": "20260102-150405-0660185f", "args": args})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.WriteFile(t.Context(), "runs/20260102-150405-0660185f/result.json", record); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		code := execute(t.Context(), nil, []string{"retry", "20260102-150405-0660185f", "--store", store}, os.Environ(), strings.NewReader(""), &stdout, &stderr)
		if _, err := os.Stat(target); code != 2 || !os.IsNotExist(err) || !strings.Contains(stderr.String(), "how it was started") {
			t.Errorf("%v: code %d, %v, %s", args, code, err, stderr.String())
		}
	}
}

const retriedPlan = `name: demo
stages:
  - {name: one, kind: command, needs: [], with: {argv: [sh, -c, "echo one; exit $(cat %[1]s)"], files: [%[1]s]}}
  - {name: two, kind: command, needs: [], with: {argv: [sh, -c, "echo two"]}}
`

// retried is a folder with a plan that ran there, and failed, into a store; recorded puts
// other words into its records.
func retried(t *testing.T) (dir, run string, recorded func(words ...string)) {
	t.Helper()
	dir = t.TempDir()
	write(t, dir, map[string]string{"end": "3", "plan.yaml": fmt.Sprintf(retriedPlan, filepath.Join(dir, "end"))})
	code, stdout, stderr := exec(t, dir, "run", "--only", "one", "-k", "-o", "json", "--store", "store")
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	var r struct{ Run string }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil || code != 1 {
		t.Fatalf("code %d, %v: %s", code, err, stderr)
	}
	return dir, r.Run, func(words ...string) {
		t.Helper()
		s, err := storage.Open(t.Context(), filepath.Join(dir, "store"), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		record, err := runs.LoadRecord(t.Context(), s, r.Run)
		if err != nil {
			t.Fatal(err)
		}
		record.Args = words
		if err := runs.SaveRecord(t.Context(), s, record); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRetryRepeats: the same stages of the same plan, on the store that was asked, and the
// command is shown.
func TestRetryRepeats(t *testing.T) {
	dir, run, _ := retried(t)
	write(t, dir, map[string]string{"end": "0"})
	code, stdout, stderr := exec(t, dir, "retry", run, "--store", filepath.Join(dir, "store"))
	if code != 0 || !strings.Contains(stdout, `"name":"two","kind":"command","state":"skipped"`) || !strings.Contains(stdout, `"name":"one","kind":"command","state":"succeeded"`) {
		t.Errorf("code %d: %s%s", code, stdout, stderr)
	}
	if want := "sprint run plan.yaml --only=one --keep-going --output=json --store=" + filepath.Join(dir, "store") + "\n"; !strings.Contains(stderr, want) {
		t.Errorf("stderr does not show %q: %s", want, stderr)
	}
}

// TestRetryTakesNothingElseFromTheStore: a record cannot choose options, files, code, places
// or another plan. The command is shown for the user to judge, safe to paste.
func TestRetryTakesNothingElseFromTheStore(t *testing.T) {
	dir, run, recorded := retried(t)
	elsewhere := t.TempDir()
	plan := fmt.Sprintf(retriedPlan, filepath.Join(dir, "end"))
	for name, folder := range map[string]string{"copy": elsewhere, "in the store": filepath.Join(dir, "store", "x")} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(name, err)
		}
		write(t, folder, map[string]string{"plan.yaml": plan})
	}
	write(t, dir, map[string]string{"end": "0", "other.yaml": "# x\n" + plan})
	if err := os.Symlink(filepath.Join(elsewhere, "plan.yaml"), filepath.Join(dir, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		words []string
		says  []string
	}{
		"--set":         {[]string{"run", "plan.yaml", "--set", `one.argv=[sh, -c, "id > it's"]`}, []string{"--set", `sprint run plan.yaml --set 'one.argv=[sh, -c, "id > it'\''s"]'`}},
		"--values":      {[]string{"run", "--values=/tmp/x"}, []string{"--values"}},
		"--cache":       {[]string{"--cache", "/tmp/evil", "run"}, []string{"--cache"}},
		"--config":      {[]string{"run", "--config", "x"}, []string{"--config"}},
		"--profile":     {[]string{"run", "--profile", "x"}, []string{"--profile"}},
		"--junit":       {[]string{"run", "--junit", filepath.Join(elsewhere, "made")}, []string{"--junit"}},
		"--store":       {[]string{"run", "--store", elsewhere}, []string{"--store"}},
		"a library":     {[]string{"run", "--device", "/tmp/evil.so"}, []string{"--device"}},
		"unknown flag":  {[]string{"run", "--evil"}, []string{"--evil"}},
		"two plans":     {[]string{"run", "plan.yaml", "plan.yaml"}, []string{"at most 1"}},
		"foreign plan":  {[]string{"run", filepath.Join(elsewhere, "plan.yaml")}, []string{"below the working directory"}},
		"foreign place": {[]string{"run", elsewhere}, []string{"below the working directory"}},
		"a link to it":  {[]string{"run", "link.yaml"}, []string{"below the working directory"}},
		"in the store":  {[]string{"run", "store/x/plan.yaml"}, []string{"in the store"}},
		"another plan":  {[]string{"run", "other.yaml"}, []string{"changed since"}},
		"no plan":       {[]string{"run", "nothere.yaml"}, []string{"below the working directory"}},
		"escapes":       {[]string{"run", "--set", "\x1b[2J\n$(id)`id`"}, []string{"--set $'\\x1b[2J\\x0a$(id)`id`' --store store\n"}},
		"no end":        {[]string{"run", "--set", strings.Repeat("x", 5000)}, []string{"start it with"}},
	} {
		recorded(c.words...)
		code, stdout, stderr := exec(t, dir, "retry", run, "--store", "store")
		if code != 2 || stdout != "" {
			t.Errorf("%s: code %d: %s", name, code, stdout)
		}
		for _, want := range append(c.says, "run "+run+" cannot be repeated") {
			if !strings.Contains(stderr, want) {
				t.Errorf("%s: no %q in %s", name, want, stderr)
			}
		}
	}
	if list, err := os.ReadDir(elsewhere); err != nil || len(list) != 1 {
		t.Errorf("a record made files: %v, %v", list, err)
	}
}
