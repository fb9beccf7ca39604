package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	guards "github.com/sprint-ml/sprint/stages/program"
	"github.com/sprint-ml/sprint/storage/storagetest/inmemory"
)

// TestMain lets the test binary be the program, its workers and guards, in processes
// of their own.
func TestMain(m *testing.M) {
	if file := os.Getenv("TEST_WORKERS"); file != "" && len(os.Args) > 1 && os.Args[1] == "worker" {
		_ = os.WriteFile(file, []byte(strings.Join(append(os.Args, os.Environ()...), "\n")), 0o600) // the test misses it
	}
	if os.Getenv("SPRINT_TEST_PROGRAM") != "" || len(os.Args) > 1 && (os.Args[1] == "worker" || os.Args[1] == guards.GuardWord) {
		os.Unsetenv("SPRINT_TEST_PROGRAM")
		code := run(context.Background(), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)
		notePeak()
		os.Exit(code)
	}
	os.Exit(inmemory.Run(m))
}

// peaks names the environment variable with the folder in which each process says, when it
// ends, how much memory it had at most.
const peaks = "TEST_PEAKS"

// notePeak reads what the kernel counts, since what wait reports of a child begins at the
// memory of its parent.
func notePeak() {
	status, err := os.ReadFile("/proc/self/status")
	if dir := os.Getenv(peaks); dir != "" && err == nil {
		_, rest, _ := strings.Cut(string(status), "VmHWM:")
		size, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		_ = os.WriteFile(filepath.Join(dir, strconv.Itoa(os.Getpid())), []byte(size), 0o600)
	}
}

// exec runs the program in this process, in folder dir.
func exec(t *testing.T, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Chdir(dir)
	var out, err bytes.Buffer
	env := []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	code = run(t.Context(), args, env, strings.NewReader(""), &out, &err)
	return code, out.String(), err.String()
}

func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

const (
	goodPlan = `name: demo
taxonomy: taxonomy.yaml
stages:
  - name: fetch
    with: {source: files, files: {paths: [rows.jsonl]}}
  - name: label
  - name: split
    with: {ratios: {train: 0.6, val: 0.2, test: 0.2}}
`
	goodTaxonomy = `categories:
  - name: fire
    tags: [big]
    rules: [{words: [fire, blaze]}]
  - name: money
    rules: [{words: [shares, bank]}]
`
)

// goodRows are 40 distinct rows, half of each category.
func goodRows() string {
	var b strings.Builder
	for i := range 40 {
		word := "fire in house number"
		if i%2 == 0 {
			word = "shares of company"
		}
		b.WriteString(`{"id":"` + strings.Repeat("x", i+1) + `","title":"` + word + " " + strings.Repeat(string(rune('a'+i%26)), 3+i/26) + ` sold"}` + "\n")
	}
	return b.String()
}

func demo(t *testing.T, change map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"plan.yaml": goodPlan, "taxonomy.yaml": goodTaxonomy, "rows.jsonl": goodRows()}
	for name, text := range change {
		files[name] = text
	}
	write(t, dir, files)
	return dir
}

// TestBadInput: each mistake has its exit code, and a message that says what,
// where and what to do.
func TestBadInput(t *testing.T) {
	plan := func(old, new string) map[string]string {
		if !strings.Contains(goodPlan, old) {
			t.Fatalf("the plan has no %q", old)
		}
		return map[string]string{"plan.yaml": strings.Replace(goodPlan, old, new, 1)}
	}
	for name, c := range map[string]struct {
		change map[string]string
		args   []string
		code   int
		want   []string // in stderr
	}{
		"unknown key":       {plan("taxonomy:", "taxonmy:"), nil, 3, []string{"plan.yaml:2:1", `"taxonomy"`}},
		"unknown option":    {plan("ratios:", "ratio:"), nil, 3, []string{"plan.yaml:8:", `"ratios"`}},
		"wrong type":        {plan("source: files", "source: 3"), nil, 3, []string{"plan.yaml:5:", "want text"}},
		"duplicate key":     {plan("name: demo\n", "name: demo\nname: again\n"), nil, 3, []string{"plan.yaml:2:1", "twice"}},
		"cycle":             {plan("- name: label\n", "- {name: label, needs: [split]}\n"), nil, 3, []string{"circle", "label"}},
		"unknown kind":      {plan("- name: label\n", "- name: lable\n"), nil, 3, []string{"plan.yaml:6:", `"label"`}},
		"ratio sum":         {plan("test: 0.2", "test: 0.3"), nil, 3, []string{"plan.yaml:8:", "1.1"}},
		"missing file":      {plan("rows.jsonl", "nothere.jsonl"), nil, 3, []string{"plan.yaml:5:", "nothere.jsonl", syscall.Errno(2).Error()}},
		"missing taxonomy":  {plan("taxonomy.yaml", "other.yaml"), nil, 3, []string{"other.yaml"}},
		"unknown tag":       {map[string]string{"taxonomy.yaml": strings.Replace(goodTaxonomy, "{words: [fire, blaze]}", "{words: [fire], tag: huge}", 1)}, nil, 3, []string{"taxonomy.yaml:4:", "huge", "big"}},
		"empty input":       {map[string]string{"rows.jsonl": ""}, nil, 11, []string{"0"}},
		"nothing labelled":  {map[string]string{"rows.jsonl": strings.NewReplacer("fire", "tree", "shares", "leaves").Replace(goodRows())}, nil, 1, []string{"none of 40 rows got a label"}},
		"bad rows":          {map[string]string{"rows.jsonl": goodRows() + strings.Repeat(`{"id":"n"}`+"\n", 5)}, nil, 3, []string{"rows.jsonl:41: no title"}},
		"no plan":           {nil, []string{"run", "nothere.yaml"}, 3, []string{"nothere.yaml", "sprint init"}},
		"unknown flag":      {nil, []string{"run", "--nope"}, 2, []string{"--nope"}},
		"unknown command":   {nil, []string{"rum"}, 2, []string{"rum"}},
		"unknown --set":     {nil, []string{"run", "--set", "tran.epochs=1"}, 3, []string{"tran", "--set"}},
		"bad --only":        {nil, []string{"run", "--only", "spilt"}, 2, []string{`"split"`}},
		"negative grace":    {plan("  - name: label\n", "  - {name: x, kind: command, needs: [], with: {argv: [ls], grace: -1s}}\n  - {name: label, needs: [fetch]}\n"), nil, 3, []string{"plan.yaml:6:", "grace", "0s"}},
		"negative pace":     {nil, []string{"run", "--set", "fetch.source=gdelt", "--set", "fetch.gdelt={query: x, since: 2026-01-01, until: 2026-01-02, pace: -1s}"}, 3, []string{"pace", "0s"}},
		"negative deadline": {nil, []string{"run", "--deadline", "-1s"}, 2, []string{"deadline", "0s"}},
		"negative age":      {nil, []string{"gc", "--store", "mem://", "--older-than", "-1h"}, 2, []string{"--older-than -1h is no duration"}},
		"negative wait":     {nil, []string{"cancel", "--store", "mem://", "--wait", "-1s"}, 2, []string{"--wait -1s is no time"}},
		"bad store scheme":  {nil, []string{"run", "--store", "ftp://x"}, 4, []string{"ftp", "s3"}},
		"unreadable store":  {map[string]string{"store": "a file"}, []string{"run", "--store", "store"}, 4, []string{"store"}},
		"bomb":              {map[string]string{"plan.yaml": strings.Repeat("[", 100_000)}, nil, 3, []string{"plan.yaml"}},
		"huge plan":         {map[string]string{"plan.yaml": "#" + strings.Repeat("x", 10<<20)}, nil, 3, []string{"1 MiB"}},
		"two mistakes":      {map[string]string{"plan.yaml": strings.NewReplacer("ratios:", "ratio:", "source: files", "sauce: files").Replace(goodPlan)}, nil, 3, []string{"plan.yaml:5:", "plan.yaml:8:"}},
		"no such model":     {nil, []string{"classify", "--model", "nope", "text"}, 4, []string{"nope"}},
		"classify no model": {nil, []string{"classify", "text"}, 2, []string{"model"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := c.args
			if args == nil {
				args = []string{"run"}
			}
			code, _, stderr := exec(t, demo(t, c.change), args...)
			if code != c.code {
				t.Errorf("code %d, want %d", code, c.code)
			}
			for _, w := range c.want {
				if !strings.Contains(stderr, w) {
					t.Errorf("the message does not say %q", w)
				}
			}
			if t.Failed() || len(stderr) > 4000 {
				t.Logf("stderr (%d bytes):\n%.2000s", len(stderr), stderr)
			}
		})
	}
}

// TestRunTwice: the last line of -o json is the result; a second run is cached.
func TestRunTwice(t *testing.T) {
	dir := demo(t, nil)
	for _, state := range []string{"succeeded", "cached"} {
		code, stdout, stderr := exec(t, dir, "run", "-o", "json")
		lines := strings.Split(strings.TrimSpace(stdout), "\n")
		var r struct {
			Run    *string
			Code   int
			Stages []struct{ Name, State string }
		}
		for _, l := range lines {
			if !json.Valid([]byte(l)) {
				t.Errorf("stdout holds %q", l)
			}
		}
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil || code != 0 || r.Run == nil {
			t.Fatalf("code %d, %v, last line %s\n%s", code, err, lines[len(lines)-1], stderr)
		}
		for _, s := range r.Stages {
			if s.State != state {
				t.Errorf("%s is %s, want %s", s.Name, s.State, state)
			}
		}
	}
	if code, _, _ := exec(t, dir, "plan", "--exit-code"); code != 0 {
		t.Errorf("plan --exit-code with nothing to do ends with %d", code)
	}
	if code, out, _ := exec(t, dir, "plan", "--exit-code", "--set", "split.seed=5"); code != 6 || !strings.Contains(out, "seed") {
		t.Errorf("plan --exit-code with work ends with %d:\n%s", code, out)
	}
	if code, out, _ := exec(t, dir, "explain", "split", "--set", "split.seed=5"); code != 0 || !strings.Contains(out, "option seed: 1 -> 5") {
		t.Errorf("explain ends with %d:\n%s", code, out)
	}
	for _, args := range [][]string{{"status"}, {"runs"}, {"logs"}, {"graph"}, {"validate"}, {"schema"}, {"version"}, {"config", "plan.yaml", "--origin"}, {"schema", "--kind", "train"}} {
		if code, out, stderr := exec(t, dir, args...); code != 0 || out == "" {
			t.Errorf("%v ends with %d: %s", args, code, stderr)
		}
	}
}

// TestJSONError: even a run that never began ends with a result line.
func TestJSONError(t *testing.T) {
	_, stdout, _ := exec(t, demo(t, map[string]string{"plan.yaml": "x: 1"}), "run", "-o", "json")
	var r map[string]any
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || r["run"] != nil || r["error"] == "" || r["code"] != 3.0 {
		t.Errorf("%s (%v)", stdout, err)
	}
}

// TestInit: what init writes is valid, and nothing is overwritten.
func TestInit(t *testing.T) {
	dir := t.TempDir()
	if code, _, stderr := exec(t, dir, "init", "demo"); code != 0 {
		t.Fatal(stderr)
	}
	if code, out, stderr := exec(t, dir, "validate", "demo"); code != 0 || !strings.Contains(out, "6 stages") {
		t.Errorf("code %d: %s%s", code, out, stderr)
	}
	if code, _, stderr := exec(t, dir, "init", "demo"); code != 2 || !strings.Contains(stderr, "plan.yaml") {
		t.Errorf("second init: code %d: %s", code, stderr)
	}
}

// TestTemplates: each is valid without a warning, and its rules find most of its rows and
// are right about them.
func TestTemplates(t *testing.T) {
	for _, name := range []string{"news", "sentiment", "support"} {
		dir := t.TempDir()
		if code, _, stderr := exec(t, dir, "init", "demo", "--template", name); code != 0 {
			t.Fatal(stderr)
		}
		if code, out, stderr := exec(t, dir, "validate", "demo"); code != 0 || !strings.Contains(out, "6 stages") || stderr != "" {
			t.Errorf("%s: code %d: %s%s", name, code, out, stderr)
		}
		code, out, stderr := exec(t, dir, "label-preview", "demo/plan.yaml", "--gold", "demo/gold.csv")
		found := regexp.MustCompile(`covered \d+ \((\d+)`).FindStringSubmatch(out)
		if code != 0 || found == nil {
			t.Fatalf("%s: code %d: %s%s", name, code, out, stderr)
		}
		if covered, err := strconv.Atoi(found[1]); err != nil || covered < 30 {
			t.Errorf("%s: the rules cover %s %% of the rows:\n%s", name, found[1], out)
		}
	}
	if code, _, stderr := exec(t, t.TempDir(), "init", "demo", "--template", "suport"); code != 2 || !strings.Contains(stderr, `did you mean "support"?`) {
		t.Errorf("code %d: %s", code, stderr)
	}
}

// TestHelpListsExitCodes: the table in --help is the one in the code.
func TestHelpListsExitCodes(t *testing.T) {
	code, out, _ := exec(t, t.TempDir(), "--help")
	if code != 0 || !strings.Contains(out, exitTable()) || strings.Contains(out, "worker") {
		t.Errorf("code %d:\n%s", code, out)
	}
}

// TestWorkerSaysHowToOpenItsStore: a worker whose store does not open ends with
// the code and the next step of every other command.
func TestWorkerSaysHowToOpenItsStore(t *testing.T) {
	code, _, stderr := exec(t, t.TempDir(), "worker", "--store", "nowhere://store", "--run", "r", "--stage", "s")
	if code != 4 || !strings.Contains(stderr, "check --store") {
		t.Errorf("code %d: %s", code, stderr)
	}
}
