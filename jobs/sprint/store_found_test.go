package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestLookingMakesNothing: no command that only looks leaves a store behind, and each
// that needs one says where it looked.
func TestLookingMakesNothing(t *testing.T) {
	dir := demo(t, nil)
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"status"}, 0}, {[]string{"runs"}, 0}, {[]string{"unlock"}, 0}, {[]string{"plan"}, 0}, {[]string{"explain", "split"}, 0},
		{[]string{"status", "-o", "json"}, 0}, {[]string{"graph"}, 0}, {[]string{"validate"}, 0}, {[]string{"config", "plan.yaml", "--origin"}, 0},
		{[]string{"label-preview"}, 0}, {[]string{"plan", "--store", "nowhere"}, 0},
		{[]string{"logs"}, 4}, {[]string{"report"}, 4}, {[]string{"diff"}, 4}, {[]string{"trace", "train.model"}, 4}, {[]string{"artifacts", "ls"}, 4},
		{[]string{"gc"}, 4}, {[]string{"store", "check"}, 4}, {[]string{"cancel"}, 4}, {[]string{"runs", "pin", "x"}, 4}, {[]string{"promote", "m@1"}, 4}, {[]string{"rollback", "m"}, 4}, {[]string{"models", "history", "m"}, 4},
		{[]string{"retry", "20260102-030405-a1b2c3"}, 4}, {[]string{"review", "export", "20260102-030405-a1b2c3"}, 4}, {[]string{"classify", "--model", "m", "text"}, 4},
		{[]string{"runs", "--store", "nowhere"}, 4}, {[]string{"status", "--store", "nowhere"}, 4},
	} {
		code, stdout, stderr := exec(t, dir, c.args...)
		if code != c.code {
			t.Errorf("%v ends with %d, want %d: %s", c.args, code, c.code, stderr)
		}
		where := dir
		if strings.Contains(strings.Join(c.args, " "), "nowhere") {
			where = "nowhere"
		}
		if code == 4 && !strings.Contains(stderr, where) {
			t.Errorf("%v does not say where it looked: %s", c.args, stderr)
		}
		if len(c.args) == 1 && (c.args[0] == "runs" || c.args[0] == "status") && !strings.Contains(stdout, dir) {
			t.Errorf("%v does not say where it looked: %s", c.args, stdout)
		}
		for _, name := range []string{".sprint", "nowhere"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				t.Fatalf("%v made %s", c.args, name)
			}
		}
	}
	if code, out, _ := exec(t, dir, "doctor"); !strings.Contains(out, "the first run would make it") {
		t.Errorf("doctor ends with %d: %s", code, out)
	}
	if _, err := os.Stat(filepath.Join(dir, ".sprint")); err == nil {
		t.Error("doctor made a store")
	}
}

// TestStoreAbove: a command in a folder below finds the store of the project, and a
// plan that is run from above has its store there.
func TestStoreAbove(t *testing.T) {
	dir := demo(t, nil)
	below := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := exec(t, dir, "run", "--until", "fetch"); code != 0 {
		t.Fatal(stderr)
	}
	if code, out, stderr := exec(t, below, "status"); code != 0 || !strings.Contains(out, "fetch") {
		t.Errorf("code %d: %s%s", code, out, stderr)
	}
	if code, out, _ := exec(t, below, "run", "../../plan.yaml", "--until", "fetch"); code != 0 || !strings.Contains(out, "cached") {
		t.Errorf("code %d: %s", code, out)
	}
	if _, out, _ := exec(t, below, "config", "--origin"); !regexp.MustCompile(`store +\.\./\.\./\.sprint/store +found`).MatchString(out) {
		t.Errorf("config says %s", out)
	}
	if _, err := os.Stat(filepath.Join(below, ".sprint")); err == nil {
		t.Error("a second store was made")
	}
}

// TestSecondStore: a plan whose project has a store, which is run where none is found, says
// so before another one is made, and once there are two no more.
func TestSecondStore(t *testing.T) {
	dir := demo(t, nil)
	if err := os.MkdirAll(filepath.Join(dir, "mails"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"mails/plan.yaml": strings.NewReplacer("taxonomy.yaml", "../taxonomy.yaml", "rows.jsonl", "../rows.jsonl").Replace(goodPlan)})
	beside := filepath.Join(filepath.Dir(dir), "beside")
	if err := os.Mkdir(beside, 0o755); err != nil {
		t.Fatal(err)
	}
	plan := filepath.Join("..", filepath.Base(dir), "mails", "plan.yaml")
	if code, _, stderr := exec(t, beside, "plan", plan); code != 0 || strings.Contains(stderr, "new store") {
		t.Errorf("there is no store yet: code %d: %s", code, stderr)
	}
	if code, _, stderr := exec(t, dir, "run", "mails", "--until", "fetch"); code != 0 || strings.Contains(stderr, "new store") {
		t.Fatalf("code %d: %s", code, stderr)
	}
	uses := "the plan's folder has one: --store ../" + filepath.Base(dir) + "/.sprint/store uses it"
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"plan", plan}, "`sprint run` would make a new store here (.sprint); " + uses},
		{[]string{"plan", plan, "--store", "new"}, ""},
		{[]string{"plan", plan, "-q"}, ""},
		{[]string{"run", plan, "--until", "fetch"}, "a new store is made here (.sprint); " + uses},
		{[]string{"run", plan, "--until", "fetch"}, ""},
	} {
		code, _, stderr := exec(t, beside, c.args...)
		if code != 0 || !strings.Contains(stderr, c.want) || c.want == "" && strings.Contains(stderr, "the plan's folder has one") {
			t.Errorf("%v: code %d: %s", c.args, code, stderr)
		}
	}
}

// printed are the command lines that a program printed.
var printed = regexp.MustCompile("(?m)`(sprint [^`\n]+)`|^ +(sprint [a-z].*)$")

// TestPrintedCommands: what is printed to be typed next parses, names the store where
// it would not be found, and is not what has just failed.
func TestPrintedCommands(t *testing.T) {
	dir := demo(t, map[string]string{"fresh.yaml": strings.Replace(goodPlan, "name: demo", "name: fresh", 1)})
	var run string
	for _, c := range []struct {
		args  []string
		code  int
		names bool   // it prints a command that names the store
		not   string // what no printed command has
	}{
		{[]string{"run", "--store", "kept"}, 0, false, ""},
		{[]string{"run", "--store", "kept", "--only", "spilt"}, 2, false, ""},
		{[]string{"run", "--store", "kept", "--set", "fetch.min_rows=99", "--force=fetch", "--force=label"}, 11, true, ""},
		{[]string{"status", "--store", "kept"}, 0, true, ""},
		{[]string{"logs", "--store", "kept", "20260102-030405-a1b2c3"}, 2, true, ""},
		{[]string{"diff", "--store", "kept", "20260102-030405-a1b2c3"}, 2, true, ""},
		{[]string{"trace", "--store", "kept", "train.model"}, 2, true, ""},
		{[]string{"artifacts", "ls", "--store", "kept", "nothing"}, 2, true, ""},
		{[]string{"unlock", "--store", "kept", "x"}, 2, true, ""},
		{[]string{"cancel", "--store", "kept"}, 2, true, ""},
		{[]string{"gc", "--store", "kept"}, 0, false, ""},
		{[]string{"classify", "--store", "kept", "--model", "m", "x"}, 4, true, ""},
		{[]string{"run", "--device", "gpu", "--force=label"}, 2, false, "gpu"},
		{[]string{"runs"}, 0, false, ""},
		{[]string{"init"}, 2, false, ""},
		{[]string{"status", "--store", "s3://bucket?region=r", "--nope"}, 2, false, ""},
		{[]string{"run", "nothere.yaml"}, 3, false, ""},
	} {
		code, stdout, stderr := exec(t, dir, c.args...)
		if code != c.code {
			t.Errorf("%v ends with %d, want %d: %s%s", c.args, code, c.code, stdout, stderr)
		}
		lines := printed.FindAllStringSubmatch(stdout+stderr, -1)
		for _, m := range lines {
			line := m[1] + m[2]
			words := shellWords(t, line)
			if err := checkShown(words[1:]); err != nil {
				t.Errorf("%v prints %q: %v", c.args, line, err)
			}
			if c.names && !strings.Contains(line, "--store kept") {
				t.Errorf("%v prints %q, which asks another store", c.args, line)
			}
			if c.not != "" && strings.Contains(line, c.not) {
				t.Errorf("%v prints %q, which fails again", c.args, line)
			}
		}
		if c.names && len(lines) == 0 {
			t.Errorf("%v prints no command: %s%s", c.args, stdout, stderr)
		}
		run += stdout + stderr
	}
	if !strings.Contains(run, "--force=fetch") {
		t.Error("a stage that was to be forced and was not done is not forced again")
	}
}

// shellWords splits a line that needs no shell but its quotes.
func shellWords(t *testing.T, line string) []string {
	t.Helper()
	var words []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

// TestHintWithoutStore: where the store is found without it, no command names it.
func TestHintWithoutStore(t *testing.T) {
	dir := demo(t, nil)
	if code, _, stderr := exec(t, dir, "run", "--until", "fetch"); code != 0 {
		t.Fatal(stderr)
	}
	t.Chdir(dir)
	var out bytes.Buffer
	for _, args := range [][]string{{"logs", "x-1"}, {"logs", "--store", ".sprint/store", "20260102-030405-a1b2c3"}, {"unlock", "x", "--store", filepath.Join(dir, ".sprint/store")}} {
		run(t.Context(), args, []string{"HOME=" + t.TempDir()}, strings.NewReader(""), &out, &out)
	}
	if strings.Contains(out.String(), "--store") {
		t.Errorf("a store is named that is found anyway:\n%s", out.String())
	}
}
