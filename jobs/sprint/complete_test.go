package main

import (
	"bytes"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/sprint/app"
)

// TestCompletion: the Tab key finds words of the plan, the store and the program, and no
// files where none may stand.
func TestCompletion(t *testing.T) {
	dir := demo(t, nil)
	if code, _, stderr := exec(t, dir, "run"); code != 0 {
		t.Fatal(stderr)
	}
	_, id, _ := exec(t, dir, "runs", "-o", "json")
	_, id, _ = strings.Cut(id, `"run":"`)
	id, _, _ = strings.Cut(id, `"`)
	for line, want := range map[string]string{
		"run --only ":             "split\tsplit",
		"run --from s":            "split\tsplit",
		"run plan.yaml --force=l": "label\tlabel",
		"run --set split.se":      "split.seed=\t",
		"run -o g":                "github",
		"run --device c":          "cuda",
		"run --executor ":         "local",
		"run --executor s":        "split=\tsplit",
		"run --executor split=l":  "split=local",
		"explain f":               "fetch\tfetch",
		"status ":                 id + "\tdemo: done",
		"logs ":                   id + "\tdemo: done",
		"logs " + id + " l":       "label\tlabel",
		"diff " + id + " ":        id,
		"runs pin ":               id,
		"runs --plan ":            "demo",
		"artifacts cat label.":    "label.labelled\t",
		"trace split.t":           "split.train\t",
		"schema --kind tr":        "train",
		"status -o ":              "json",
		"report -o m":             "md",
		"classify -o ":            "table",
		"classify --format t":     "text",
		"completion z":            "zsh",
		"help runs p":             "pin\t",
		"promote m@1 --alias c":   "champion",
		"la":                      "label-preview\t",
	} {
		words := strings.Split(line, " ")
		code, out, stderr := exec(t, dir, append([]string{"__complete"}, words...)...)
		if code != 0 || !strings.Contains("\n"+out, "\n"+want) {
			t.Errorf("%q: code %d, no %q in %s%s", line, code, want, out, stderr)
		}
		if strings.Contains(out, "ShellCompDirectiveDefault") || strings.HasSuffix(strings.TrimSpace(out), ":0") {
			t.Errorf("%q offers files: %s", line, out)
		}
	}
	if _, out, _ := exec(t, dir, "__complete", "run", "--set", "split.se"); !strings.HasSuffix(strings.TrimSpace(out), ":6") {
		t.Errorf("a space would follow the sign before a value: %s", out)
	}
	config := filepath.Join(dir, "own.yaml")
	write(t, dir, map[string]string{"own.yaml": "executors:\n  zeta: {kind: slurm}\n  alpha: {kind: ssh, hosts: [a]}\n"})
	for begun, want := range map[string]string{
		"split=":                "split=zeta\tslurm\nsplit=alpha\tssh\nsplit=auto\nsplit=local\n:4\n",
		"split=zeta,label=al":   "split=zeta,label=alpha\tssh\n:4\n",
		"split=zeta,l":          "split=zeta,local\nsplit=zeta,label=\tlabel\n:6\n",
		"split=zeta,label=beta": ":4\n",
	} {
		if _, out, _ := exec(t, dir, "__complete", "run", "--config", config, "--executor", begun); out != want {
			t.Errorf("--executor %s: %q, want %q", begun, out, want)
		}
	}
	if _, out, _ := exec(t, dir, "__complete", "doctor", "--config", config, "--executor", ""); out != "zeta\tslurm\nalpha\tssh\n:4\n" {
		t.Errorf("doctor: %q", out)
	}
	if _, out, _ := exec(t, dir, "__complete", "explain", "fetch", ""); strings.TrimSpace(out) != ":0" {
		t.Errorf("no file of a plan is offered: %s", out)
	}
	if _, out, _ := exec(t, t.TempDir(), "__complete", "status", ""); strings.Count(out, "\n") != 1 {
		t.Errorf("without a store: %q", out)
	}
}

// TestCompletionOfEveryOutput: -o completes in each command that has it.
func TestCompletionOfEveryOutput(t *testing.T) {
	root := newRoot(&app.App{})
	for _, words := range [][]string{{"run"}, {"validate"}, {"plan"}, {"status"}, {"report"}, {"classify"}, {"artifacts", "ls"}, {"doctor"}, {"config"}, {"logs"}, {"graph"}} {
		cmd, _, err := root.Find(words)
		if err != nil {
			t.Fatal(err)
		}
		if got := outputs(cmd.Flags().ShorthandLookup("o"))(t.Context(), cmd, nil); len(got) == 0 || !strings.Contains(strings.Join(got, " "), "json") {
			t.Errorf("%v: %v", words, got)
		}
	}
}

// TestBashScript: without bash-completion the script says what to install, once, and
// leaves the shell as it was.
func TestBashScript(t *testing.T) {
	bash, err := osexec.LookPath("bash")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("CI has no bash")
	}
	if err != nil {
		t.Skip("no bash")
	}
	dir := t.TempDir()
	code, script, _ := exec(t, dir, "completion", "bash")
	if code != 0 || !strings.Contains(script, "__start_sprint") {
		t.Fatal(code, script)
	}
	// The machine of a test may have the package: look for it where it is not.
	guard, _, _ := strings.Cut(script, "# bash completion")
	hidden := strings.NewReplacer("/usr/", "/nowhere/", "/opt/", "/nowhere/", "/etc/", "/nowhere/").Replace(guard) + strings.TrimPrefix(script, guard)
	if err := os.WriteFile(filepath.Join(dir, "script"), []byte(hidden), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := osexec.Command(bash, "--norc", "-c", "source ./script; complete -p sprint; echo alive")
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil || !strings.Contains(out.String(), "install bash-completion") || !strings.Contains(out.String(), "alive") {
		t.Errorf("%v: %s", err, out.String())
	}
	cmd = osexec.Command(bash, "--norc", "-c", "_get_comp_words_by_ref() { :; }; source ./script; complete -p sprint")
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(text), "__start_sprint sprint") {
		t.Errorf("%v: %s", err, text)
	}
}
