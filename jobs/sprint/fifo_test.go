//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// endless puts two files into a folder that have no end: a fifo that nobody writes or
// reads, by each of the names, and zero, a link to the zeros of the system.
func endless(t *testing.T, dir string, fifos ...string) {
	t.Helper()
	for _, name := range fifos {
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Skip(err)
		}
	}
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "zero")); err != nil {
		t.Fatal(err)
	}
}

// TestNoFileHasNoEnd: a fifo in the place of any file that is read or written is refused
// by name at once, and so is a device.
func TestNoFileHasNoEnd(t *testing.T) {
	for name, c := range map[string]struct {
		fifo   string // the file that is one
		change map[string]string
		args   string
		code   int
		want   string
	}{
		"plan":          {fifo: "fifo", args: "validate fifo", code: 3, want: "fifo: cannot read the plan: not read: it is a fifo and no plain file"},
		"config":        {fifo: "fifo", args: "validate --config fifo", code: 2, want: "--config fifo: not read: it is a fifo"},
		"found config":  {fifo: "sprint.yaml", args: "validate", code: 2, want: "sprint.yaml: cannot read the config: not read: it is a fifo"},
		"taxonomy":      {fifo: "fifo", change: map[string]string{"plan.yaml": strings.Replace(goodPlan, "taxonomy.yaml", "fifo", 1)}, args: "validate", code: 3, want: "cannot read fifo: not read: it is a fifo"},
		"taxonomy zero": {fifo: "fifo", change: map[string]string{"plan.yaml": strings.Replace(goodPlan, "taxonomy.yaml", "zero", 1)}, args: "validate", code: 3, want: "cannot read zero: not read: it is a device"},
		"rows":          {fifo: "fifo.jsonl", args: "plan --set fetch.files.paths=fifo.jsonl", code: 3, want: "fifo.jsonl: not read: it is a fifo"},
		"pins":          {fifo: "sprint.lock", change: map[string]string{"plan.yaml": strings.Replace(goodPlan, "  - name: label\n", "  - name: label\n    with: {source: [rules, encoder], encoder: {model: a/b}}\n", 1)}, args: "plan", code: 3, want: "sprint.lock: not read: it is a fifo"},
		"junit":         {fifo: "fifo", args: "run --junit fifo", code: 2, want: "cannot write --junit: open fifo: not read: it is a fifo that nobody reads"},
		"token":         {fifo: "fifo", args: "serve --model ./ --token file:fifo", code: 2, want: "cannot read --token: open fifo: not read: it is a fifo"},
		"token zero":    {fifo: "fifo", args: "serve --model ./ --token file:zero", code: 2, want: "cannot read --token: open zero: not read: it is a device"},
		"store's key":   {fifo: "fifo", change: map[string]string{"c.yaml": "store_key: file:zero\n"}, args: "status --config c.yaml", code: 4, want: "not read: it is a device"},
		"rules' gold":   {fifo: "gold.csv", args: "label-preview --gold gold.csv", code: 3, want: "cannot read the gold set: open gold.csv: not read: it is a fifo"},
		"rules' tests":  {fifo: "fifo", args: "label-preview --test fifo", code: 3, want: "cannot read the rule tests: open fifo: not read: it is a fifo"},
		"rules' rows":   {fifo: "fifo.jsonl", args: "label-preview --set fetch.files.paths=fifo.jsonl", code: 3, want: "not read: it is a fifo"},
		"review":        {fifo: "fifo.csv", args: "review import fifo.csv", code: 3, want: "cannot read the corrections: open fifo.csv: not read: it is a fifo"},
		"overlay":       {fifo: "corrections.csv", change: map[string]string{"plan.yaml": overlayPlan, "review.csv": "id,fire,reviewer\nx,1,a\n"}, args: "review import review.csv", code: 3, want: "open corrections.csv: not read: it is a fifo"},
		"used overlay":  {fifo: "corrections.csv", change: map[string]string{"plan.yaml": overlayPlan}, args: "run", code: 3, want: "cannot read corrections.csv: not read: it is a fifo"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := demo(t, c.change)
			endless(t, dir, c.fifo)
			code, stdout, stderr := exec(t, dir, strings.Fields(c.args)...)
			if said := stdout + stderr; code != c.code || !strings.Contains(said, c.want) {
				t.Errorf("code %d, want %d:\n%s", code, c.code, said)
			}
		})
	}
}

// TestRunBesideEndlessFiles: a summary that cannot be written and remembered digests that
// have no end are told or left out; the run is done.
func TestRunBesideEndlessFiles(t *testing.T) {
	dir := demo(t, nil)
	endless(t, dir, "summary")
	if err := os.Mkdir(filepath.Join(dir, "cache"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../zero", filepath.Join(dir, "cache", "digests.json")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	var out, said bytes.Buffer
	env := []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "GITHUB_STEP_SUMMARY=" + filepath.Join(dir, "summary")}
	code := run(t.Context(), []string{"run", "-o", "github", "--cache", "cache"}, env, strings.NewReader(""), &out, &said)
	if code != 0 || !strings.Contains(said.String(), "could not write the step's summary") || !strings.Contains(said.String(), "fifo that nobody reads") {
		t.Errorf("code %d: %s%s", code, out.String(), said.String())
	}
}

// TestValuesFromAPipe: what a shell makes of --values <(command) is read, up to the cap.
func TestValuesFromAPipe(t *testing.T) {
	dir := demo(t, nil)
	for name, c := range map[string]struct {
		text string
		code int
		want string
	}{
		"good":    {"label: {combine: vote}\n", 0, "is valid"},
		"bad":     {"label: {combine: toss}\n", 3, "/dev/fd/3:1:"},
		"endless": {strings.Repeat("# and so on\n", 1<<17), 3, "larger than 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd := program(dir, "validate", "--values", "/dev/fd/3")
			cmd.ExtraFiles = []*os.File{r}
			p := launch(t, cmd)
			r.Close()
			go func() {
				fmt.Fprint(w, c.text)
				w.Close()
			}()
			if code := p.code(t); code != c.code || !strings.Contains(p.said.String(), c.want) {
				t.Errorf("code %d: %.500s", code, p.said.String())
			}
		})
	}
}

// TestValuesThatNeverCome: a signal and a deadline end the waiting for a pipe.
func TestValuesThatNeverCome(t *testing.T) {
	dir := demo(t, map[string]string{"sprint.yaml": "parallel: 1\n"})
	endless(t, dir, "fifo")
	silent, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	defer w.Close()
	for _, values := range []string{"fifo", "/dev/fd/3"} {
		for _, deadline := range []string{"50ms", "1h"} {
			cmd := program(dir, "run", "--values", values, "--deadline", deadline)
			cmd.ExtraFiles = []*os.File{silent}
			p := launch(t, cmd)
			code, want := 124, "did not come within the deadline of 50ms"
			if deadline == "1h" {
				code, want = 75, "stopped by SIGTERM"
				p.says(t, "using the config") // which is read before the values
				if err := p.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
			}
			got := p.code(t)
			if said := p.said.String(); got != code || !strings.Contains(said, want) || strings.Contains(said, "by itself") {
				t.Errorf("%s, %s: code %d, %s", values, deadline, got, said)
			}
		}
	}
}
