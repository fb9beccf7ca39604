package main

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/sprint/app"
)

// TestUsage: a word or flag that is not known, or is left out, ends with 2 and the one
// that was meant.
func TestUsage(t *testing.T) {
	dir := demo(t, nil)
	for line, want := range map[string]string{
		"list":             "`sprint runs`",
		"ls":               "`sprint runs`",
		"test":             "`sprint validate`",
		"stats":            "`sprint status`",
		"rnu":              "`sprint run`",
		"vali":             "`sprint validate`",
		"nothing":          "`sprint --help` lists them",
		"store chek":       "`sprint store check`",
		"runs unpni x":     "`sprint runs unpin`",
		"help rnu":         "`sprint run`",
		"help runs pni":    "`sprint runs pin`",
		"completion ksh":   "known: bash, zsh, fish, powershell",
		"completion":       "needs SHELL",
		"runs pin":         "sprint runs pin needs RUN\n       usage: sprint runs pin RUN",
		"promote a b":      "takes [NAME@VERSION]",
		"run a b":          "takes [PLAN]",
		"version now":      `takes no "now"`,
		"run --stor x":     "did you mean --store?",
		"run --keep":       "did you mean --keep-going?",
		"run --nothing":    "`sprint run --help` lists the flags",
		"run -j many":      "--jobs many: want a whole number\n       stages that may run at once",
		"cancel --wait x":  "want a duration such as 90s or 2h",
		"run --deadline":   "--deadline needs a value",
		"classify text":    "needs --model (NAME",
		"status -o jsn":    `did you mean "json"?`,
		"runs -o github":   "knows json and text",
		"run --device gpu": `did you mean "cuda"?`,
		"run --device cup": `did you mean "cpu"?`,
	} {
		code, stdout, stderr := exec(t, dir, strings.Fields(line)...)
		if code != 2 || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%s: code %d, no %q in %s%s", line, code, want, stdout, stderr)
		}
		if strings.Contains(stderr, "strconv") || strings.Contains(stderr, "arg(s)") {
			t.Errorf("%s: the words of a library: %s", line, stderr)
		}
	}
}

// TestGroups: --help has every command under a heading, --version is the version.
func TestGroups(t *testing.T) {
	root := newRoot(&app.App{})
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() && c.GroupID == "" {
			t.Errorf("%s stands in no group", c.Name())
		}
	}
	for name := range meant {
		if c, _, err := root.Find([]string{name}); err != nil || c == root {
			t.Errorf("%s is suggested and is no command", name)
		}
	}
	for _, words := range meant {
		for _, w := range words {
			if c, _, err := root.Find([]string{w}); err == nil && c != root {
				t.Errorf("%s is a command by now: strike it from the words that are not", w)
			}
		}
	}
	if code, out, _ := exec(t, t.TempDir(), "--version"); code != 0 || out != "sprint "+app.Version()+"\n" {
		t.Errorf("code %d: %s", code, out)
	}
}

// TestAnswersInJSON: what reads answers in JSON too.
func TestAnswersInJSON(t *testing.T) {
	dir := demo(t, map[string]string{"bad.yaml": strings.NewReplacer("ratios:", "ratio:", "source: files", "sauce: files").Replace(goodPlan)})
	if code, _, stderr := exec(t, dir, "run"); code != 0 {
		t.Fatal(stderr)
	}
	for _, line := range []string{"plan", "graph", "config", "config plan.yaml", "logs", "validate", "doctor", "version", "status", "runs", "models", "explain split", "artifacts ls", "artifacts verify", "unlock", "gc", "store check", "label-preview", "trace label.labelled"} {
		code, stdout, stderr := exec(t, dir, append(strings.Fields(line), "-o", "json")...)
		if code != 0 {
			t.Errorf("%s ends with %d: %s", line, code, stderr)
		}
		for d := json.NewDecoder(strings.NewReader(stdout)); d.More(); {
			var v any
			if err := d.Decode(&v); err != nil {
				t.Errorf("%s: %v in %s", line, err, stdout)
				break
			}
		}
	}
	code, stdout, stderr := exec(t, dir, "validate", "bad.yaml", "-o", "json")
	var v struct {
		Valid  bool
		Errors []struct {
			File, Message string
			Line, Column  int
		}
	}
	if err := json.Unmarshal([]byte(stdout), &v); err != nil || code != 3 || stderr != "" || v.Valid || len(v.Errors) != 2 {
		t.Fatalf("code %d, %v: %s%s", code, err, stdout, stderr)
	}
	if e := v.Errors[0]; e.File != "bad.yaml" || e.Line != 5 || e.Column == 0 || e.Message == "" {
		t.Errorf("the first is %+v", e)
	}
	for _, args := range [][]string{{"run", "bad.yaml", "-o", "github"}, {"validate", "bad.yaml", "-o", "github"}} {
		if code, out, _ := exec(t, dir, args...); code != 3 || strings.Count(out, "::error file=bad.yaml,line=") != 2 {
			t.Errorf("%v ends with %d: %s", args, code, out)
		}
	}
}

// TestPlanFromStandardInput: its paths are those of the working directory.
func TestPlanFromStandardInput(t *testing.T) {
	dir := demo(t, nil)
	t.Chdir(dir)
	plan, err := os.ReadFile("plan.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove("plan.yaml"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		line, input string
		code        int
		want        string
	}{
		{"run -", string(plan), 0, "split  succeeded"},
		{"run /dev/stdin", string(plan), 0, "split  cached"},
		{"plan -", string(plan), 0, "split  be cached"},
		{"config -", string(plan), 0, "split.seed"},
		{"validate -", "name: 3\n", 3, "-:1:7"},
		{"run -", strings.Repeat("#", 3<<20), 3, "1 MiB"},
		{"run -", "", 3, ""},
	} {
		var out bytes.Buffer
		code := run(t.Context(), strings.Fields(c.line), []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}, strings.NewReader(c.input), &out, &out)
		if code != c.code || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s ends with %d, want %d and %q:\n%.500s", c.line, code, c.code, c.want, out.String())
		}
	}
}

// TestLogsForPeople: stages come in the order of the run, lines with their time, and what
// is for developers only with -v.
func TestLogsForPeople(t *testing.T) {
	dir := demo(t, map[string]string{"plan.yaml": "name: demo\nstages:\n  - {name: zeta, kind: command, with: {shell: true, argv: [\"echo hello; echo more >&2\"]}}\n  - {name: alpha, kind: command, with: {shell: true, argv: [\"echo bye\"]}}\n"})
	if code, _, stderr := exec(t, dir, "run"); code != 0 {
		t.Fatal(stderr)
	}
	_, out, _ := exec(t, dir, "logs")
	line := regexp.MustCompile(`^\d\d:\d\d:\d\d (zeta|alpha) +\S`)
	order := ""
	for l := range strings.Lines(out) {
		m := line.FindStringSubmatch(l)
		if m == nil || strings.Contains(l, "DEBUG") {
			t.Errorf("a line is %q", l)
			continue
		}
		order += m[1][:1]
	}
	if strings.TrimLeft(strings.TrimRight(order, "a"), "z") != "" || !strings.Contains(order, "za") {
		t.Errorf("the order is %s:\n%s", order, out)
	}
	_, out, _ = exec(t, dir, "logs", "-o", "json")
	var x struct{ Time, Level, Stage, Message string }
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&x); err != nil || x.Stage != "zeta" || x.Level == "" || x.Time == "" || x.Message == "" {
		t.Errorf("%v: the first line is %+v", err, x)
	}
}

// TestSaidOnce: what ended a run is said once, and a note of a pin is shown.
func TestSaidOnce(t *testing.T) {
	dir := demo(t, nil)
	_, stdout, stderr := exec(t, dir, "run", "--set", "fetch.min_rows=999")
	if n := strings.Count(stdout+stderr, "fewer than min_rows"); n != 1 {
		t.Errorf("it is said %d times:\n%s%s", n, stdout, stderr)
	}
	if _, _, stderr := exec(t, dir, "run", "-k", "--set", "fetch.min_rows=999"); !strings.Contains(stderr, "fetch      failed: ") {
		t.Errorf("a failure that does not end the run is not said at once:\n%s", stderr)
	}
	_, out, _ := exec(t, dir, "runs", "-o", "json")
	var r struct{ Run, Note string }
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&r); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := exec(t, dir, "runs", "pin", r.Run, "--note", "the good one"); code != 0 {
		t.Fatal(stderr)
	}
	if _, out, _ := exec(t, dir, "runs"); !strings.Contains(out, "(pinned: the good one)") {
		t.Errorf("no note in\n%s", out)
	}
}
