//go:build unix

package main

import (
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/sprint-ml/sprint/jobs/runs"
)

// pipelineStep is a step of an action or a workflow, as far as its shell goes.
type pipelineStep struct {
	ID, If, Run, Uses string
	Env, With         map[string]string
}

var inputOf = regexp.MustCompile(`^\$\{\{ inputs\.(\w+) \}\}$`)

// runner runs shell steps as GitHub's does: a file for bash with -eo pipefail, and files for
// what later steps are told.
type runner struct {
	dir     string
	env     []string
	outputs string // of the last step
}

func (r *runner) step(t *testing.T, script string, env map[string]string) (int, string) {
	t.Helper()
	cmd, r2 := osexec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", stepFile(t, script)), filepath.Join(t.TempDir(), "outputs")
	r.outputs = r2
	cmd.Dir, cmd.Env = r.dir, append(append([]string{}, r.env...), "GITHUB_OUTPUT="+r2, "GITHUB_WORKSPACE="+r.dir)
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if _, ended := err.(*osexec.ExitError); err != nil && !ended {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// stepFile is the file that the shell of a step gets: of a text given by -c, bash would leave
// its place, and its signals, to the last command by itself.
func stepFile(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "step.sh")
	if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// actionFolder is the folder of the composite action.
func actionFolder(t *testing.T) string {
	t.Helper()
	folder, err := filepath.Abs("../../.github/actions/sprint")
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// actionFile is the composite action.
type actionFile struct {
	Inputs map[string]struct{ Default string }
	Runs   struct{ Steps []pipelineStep }
}

// action runs the steps of the composite action with inputs.
func (r *runner) action(t *testing.T, inputs map[string]string) (int, string) {
	t.Helper()
	folder := actionFolder(t)
	var a actionFile
	decodeYAML(t, filepath.Join(folder, "action.yml"), &a)
	of := func(name string) string {
		if value, given := inputs[name]; given {
			return value
		}
		declared, there := a.Inputs[name]
		if !there {
			t.Errorf("the action has no input %q", name)
		}
		return declared.Default
	}
	code, out := 0, ""
	for _, s := range a.Runs.Steps {
		if s.If != "" && of("release") == "" {
			continue
		}
		env := map[string]string{"GITHUB_ACTION_PATH": folder}
		for name, value := range s.Env {
			m := inputOf.FindStringSubmatch(value)
			if m == nil {
				t.Fatalf("%s is %s: an input goes to the shell as a variable", name, value)
			}
			env[name] = of(m[1])
		}
		var said string
		code, said = r.step(t, s.Run, env)
		if out += said; code != 0 {
			break
		}
	}
	return code, out
}

func decodeYAML(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// told are the outputs of the last step.
func (r *runner) told(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile(r.outputs)
	if err != nil {
		return nil // none
	}
	out := map[string]string{}
	for line := range strings.Lines(string(data)) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok || out[name] != "" {
			t.Errorf("an output is %q", line)
		}
		out[name] = value
	}
	return out
}

// TestActionRepeats: the action runs a plan again while it ends interrupted, as often as
// it is told, and ends with sprint's code.
func TestActionRepeats(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"sprint": `#!/bin/sh
echo "$*" >> calls
set -- $CODES
n=$(wc -l < calls)
eval "exit \${$n:-0}"
`})
	if err := os.Chmod(filepath.Join(dir, "sprint"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		codes, attempts, deadline, plan string
		want, calls                     int
	}{
		{"0", "3", "", "plan.yaml", 0, 1},
		{"75 75 0", "3", "", "plan.yaml", 0, 3},
		{"75 75 0", "2", "", "plan.yaml", 75, 2},
		{"75 5", "3", "", "a plan; touch owned.yaml", 5, 2},
		{"75 0", "3", "1h", "--help", 75, 1}, // the deadline is this machine's
		{"4", "3", "", "$(touch owned)", 4, 1},
		{"0", "many", "", "plan.yaml", 2, 0},
		{"0", "1$(touch owned)", "", "plan.yaml", 2, 0},
	} {
		_ = os.Remove(filepath.Join(dir, "calls")) // there may be none
		r := runner{dir: dir, env: []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "CODES=" + c.codes}}
		code, out := r.action(t, map[string]string{"plan": c.plan, "attempts": c.attempts, "deadline": c.deadline, "store": "s3://b/a b"})
		data, _ := os.ReadFile(filepath.Join(dir, "calls")) // none: no call
		if code != c.want || strings.Count(string(data), "\n") != c.calls {
			t.Errorf("%+v ends with %d after\n%s%s", c, code, data, out)
		}
		if c.plan == "--help" {
			c.plan = "./--help"
		}
		if c.calls > 0 && !strings.HasPrefix(string(data), "run "+c.plan+" -o github --result=result.json --store=s3://b/a b") {
			t.Errorf("%+v calls %s", c, data)
		}
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "owned*")); len(found) > 0 {
		t.Errorf("an input was run: %v", found)
	}
}

// TestActionInstalls: an archive is installed only if its digest is the one that is asked
// for, or that the release says.
func TestActionInstalls(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, folder := range []string{"bin", "sprint_v1.2.3_linux_amd64", "sprint_v1.2.3_linux_arm64", "sprint_v1.2.3_darwin_arm64"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, map[string]string{
		"sprint_v1.2.3_linux_amd64/sprint": "#!/bin/sh\ntouch ran\n", "sprint_v1.2.3_linux_arm64/sprint": "#!/bin/sh\ntouch ran\n", "sprint_v1.2.3_darwin_arm64/sprint": "#!/bin/sh\ntouch ran\n",
		// It copies what the last word names from the folder.
		"bin/curl": "#!/bin/sh\nfor w; do last=$w; done\nwhile [ $# -gt 1 ]; do [ \"$1\" != -o ] || out=$2; shift; done\ncp \"$FILES/$(basename \"$last\")\" \"$out\"\n",
	})
	build := osexec.Command("sh", "-c", "chmod +x bin/curl; for p in linux_amd64 linux_arm64 darwin_arm64; do chmod +x sprint_v1.2.3_$p/sprint; tar -czf sprint_v1.2.3_$p.tar.gz sprint_v1.2.3_$p; done; sha256sum *.tar.gz > SHA256SUMS")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const wrong = "0000000000000000000000000000000000000000000000000000000000000000"
	for _, c := range []struct {
		release, sha256 string
		tampered        bool
		installed       bool
	}{
		{"v1.2.3", "", false, true},
		{"v1.2.3", wrong, false, false},
		{"v1.2.3", "", true, false},
		{"v9.9.9", "", false, false},
		{"../../etc", "", false, false},
		{"v1.2.3/../x", "", false, false},
	} {
		work := t.TempDir()
		paths := filepath.Join(work, "paths")
		r := runner{dir: work, env: []string{"PATH=" + filepath.Join(dir, "bin") + ":" + os.Getenv("PATH"), "FILES=" + dir, "RUNNER_TEMP=" + work, "GITHUB_PATH=" + paths}}
		if c.tampered {
			files := t.TempDir()
			if err := os.CopyFS(files, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			archives, _ := filepath.Glob(filepath.Join(files, "*.tar.gz"))
			for _, a := range archives {
				if err := os.WriteFile(a, []byte("another"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			r.env[1] = "FILES=" + files
		}
		script, err := filepath.Abs("../../.github/actions/sprint/install.sh")
		if err != nil {
			t.Fatal(err)
		}
		code, out := r.step(t, `bash "$SCRIPT"`, map[string]string{"SCRIPT": script, "INPUT_RELEASE": c.release, "INPUT_SHA256": c.sha256})
		data, _ := os.ReadFile(paths) // none: nothing was installed
		if (code == 0) != c.installed || (len(data) > 0) != c.installed {
			t.Errorf("%+v: code %d, path %q: %s", c, code, data, out)
		}
		if c.installed {
			if _, err := os.Stat(filepath.Join(strings.TrimSpace(string(data)), "sprint")); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestPipeline: the action on a real plan, and what the workflows do after it: the outputs,
// the difference to the champion, and a promotion by the result's file and by nothing else.
func TestPipeline(t *testing.T) {
	t.Parallel()
	e := prepareFolder(t)
	summary := filepath.Join(e.dir, "summary.md")
	r := runner{dir: e.dir, env: append(e.env, "GITHUB_ACTIONS=true", "GITHUB_ACTOR=anna", "GITHUB_REPOSITORY=o/news", "GITHUB_RUN_ID=7")}
	promote := promotions(t)
	code, out := r.action(t, map[string]string{})
	told := r.told(t)
	if code != 0 || !runs.ValidID(told["run_id"]) || told["code"] != "0" || told["model"] != "quickstart" || told["version"] != "1" || !regexp.MustCompile(`^0\.\d{4}$`).MatchString(told["macro_f1"]) {
		t.Fatalf("code %d, %v:\n%s", code, told, out)
	}
	if text := read(t, summary); !strings.Contains(text, "There is no champion yet") {
		t.Errorf("the summary says\n%s", text)
	}
	for _, script := range promote {
		if code, out := r.step(t, script, map[string]string{"STORE": ".sprint/store"}); code != 0 || !strings.Contains(out, "quickstart@champion is") || !strings.Contains(out, "version 1") {
			t.Errorf("%s ends with %d: %s", script, code, out)
		}
	}
	if code, out := r.step(t, "sprint models history quickstart --alias champion -o json", nil); code != 0 || !strings.Contains(out, `"who":"anna (github o/news run 7)"`) || !strings.Contains(out, `"why":"weekly training"`) || !strings.Contains(out, told["run_id"]) || strings.Count(out, "\n") != 1 {
		t.Errorf("the history, code %d: %s", code, out)
	}
	write(t, e.dir, map[string]string{"summary.md": ""})
	r.env = append(r.env, "SPRINT_SET_TRAIN__SEED=9")
	if code, out := r.action(t, map[string]string{}); code != 0 || r.told(t)["version"] != "2" {
		t.Fatalf("another release, code %d, %v:\n%s", code, r.told(t), out)
	}
	if text := read(t, summary); !strings.Contains(text, "quickstart\\@1 | this run | change") || !strings.Contains(text, "that both measured") {
		t.Errorf("beside a champion the summary says\n%s", text)
	}
	// A gate that closes, a plan that is wrong, a run that never ended: none is promoted.
	r.env = append(r.env, "SPRINT_SET_VERIFY__CHECKS=[{id: macro_f1, on: gold, min: 1}]")
	code, out = r.action(t, map[string]string{})
	if told := r.told(t); code != 5 || told["code"] != "5" || told["model"] != "" || !regexp.MustCompile(`(?m)^::error file=plan\.yaml,line=\d+,col=\d+,title=verify failed::`).MatchString(out) {
		t.Errorf("a closed gate, code %d, %v:\n%s", code, told, out)
	}
	refused := func(what string) {
		t.Helper()
		for _, script := range promote {
			if code, out := r.step(t, script, map[string]string{"STORE": ".sprint/store"}); code != 10 || !strings.Contains(out, "nothing is promoted") {
				t.Errorf("%s: %s ends with %d: %s", what, script, code, out)
			}
		}
	}
	refused("a closed gate")
	write(t, e.dir, map[string]string{"bad.yaml": read(t, filepath.Join(e.dir, "plan.yaml")) + "  - {name: extra, kind: nothing}\n"})
	code, out = r.action(t, map[string]string{"plan": "bad.yaml"})
	if told := r.told(t); code != 3 || told["code"] != "3" || told["run_id"] != "" || !strings.Contains(out, "::error file=bad.yaml,line=") {
		t.Errorf("a wrong plan, code %d, %v:\n%s", code, told, out)
	}
	refused("a wrong plan")
	write(t, e.dir, map[string]string{"result.json": ""})
	refused("a run that never ended")
	if code, out := r.step(t, "sprint models quickstart@champion -o json", nil); code != 0 || !strings.Contains(out, `"version":1`) {
		t.Errorf("the champion moved, code %d: %s", code, out)
	}
	for text, want := range map[string]int{"[]": 2, "{}": 2, `{"run":"r","code":0}`: 10, `{"run":"r","code":0,"figures":{"model":"../x@1"}}`: 2, `{"run":"r","code":0,"figures":{"model":"quickstart@latest"}}`: 2, strings.Repeat("[", 1<<20): 2} {
		write(t, e.dir, map[string]string{"result.json": text})
		if code, out := r.step(t, promote[0], map[string]string{"STORE": ".sprint/store"}); code != want {
			t.Errorf("a result %.60s: code %d, want %d: %s", text, code, want, out)
		}
	}
}

// promotions are the lines of the examples' pipelines that promote.
func promotions(t *testing.T) []string {
	t.Helper()
	var github struct {
		Jobs map[string]struct{ Steps []pipelineStep }
	}
	decodeYAML(t, "../../examples/ci/github.yml", &github)
	var gitlab struct {
		Promote struct{ Script []string }
	}
	decodeYAML(t, "../../examples/ci/gitlab.yml", &gitlab)
	out := gitlab.Promote.Script
	for _, s := range github.Jobs["promote"].Steps {
		if strings.HasPrefix(s.Run, "sprint ") {
			out = append(out, s.Run)
		}
	}
	if len(out) != 2 {
		t.Fatalf("the examples promote by %q", out)
	}
	return out
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
