//go:build unix

package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models/signature/signaturetest"
)

// example is a command line that --help or the README shows.
type example struct{ of, line string }

// unrun are the examples that are not run, each with the reason. Their flags and
// arguments are checked all the same.
var unrun = map[string]string{
	"sprint run plan.yaml --executor train=gpu": "it needs a machine that ssh reaches; the tests of examples start one",
	"sprint doctor --executor gpu":              "as above",
	"sprint leftovers --executor gpu --end":     "as above",
	"sprint doctor --install":                   "it downloads the plugin of a device",
	"sprint serve --model quickstart":           "it goes on until it is ended; the tests of serve ask it",
	"sprint serve --model quickstart@champion --listen 0.0.0.0:8080 --host news.example.org --token file:tokens --tls-cert cert.pem --tls-key key.pem": "as above",

	"sprint models mirror plan.yaml": "the quickstart names no registry; the tests of mirrors start some",
	"sprint models mirror -o json":   "as above",

	"sprint store rekey":                  "the store of the examples has no key",
	"sprint store rekey --unsigned --yes": "the store of the examples has no key",
}

// instead are what examples name that a test has not, or that stands for a word
// of the reader's.
var instead = strings.NewReplacer(
	"go run ./jobs/sprint", "sprint", // the test's program is the same one
	"s3://bucket", ".sprint/store", "s3://backup/sprint", "backup", // a bucket needs a network
	"FOLDER", "fresh", "STAGE", "train",
)

// shownRun is the identifier of a run that an example makes up.
var shownRun = regexp.MustCompile(`\b\d{8}-\d{6}-[0-9a-f]{6,8}\b`)

// TestExamples: every command line that --help or the README shows does its work
// in a folder with the quickstart's plan after two runs.
func TestExamples(t *testing.T) {
	t.Parallel()
	examples := append(helpExamples(t), readmeExamples(t)...)
	e := newExampleFolder(t)
	skipped := map[string]bool{}
	for _, x := range examples {
		if unrun[x.line] != "" {
			skipped[x.line] = true
			if err := checkWords(strings.Fields(x.line)[1:]); err != nil {
				t.Errorf("%s: %s: %v", x.of, x.line, err)
			}
			continue
		}
		if strings.HasPrefix(x.line, "sprint review import") { // a person has written a name into the export
			edit(t, filepath.Join(e.dir, "review.csv"), func(m map[string]string) { m["reviewer"] = "anna" })
		}
		line := shownRun.ReplaceAllString(instead.Replace(x.line), e.run)
		if out, err := e.shell(line); err != nil {
			t.Errorf("%s: %s: %v\n%s", x.of, line, err, out)
		} else if strings.Contains(out, "keywords answer") && !strings.HasSuffix(line, "--help") {
			t.Errorf("%s: %s: not the model answers:\n%s", x.of, line, out)
		}
	}
	for _, line := range slices.Sorted(maps.Keys(unrun)) {
		if !skipped[line] {
			t.Errorf("%q is shown nowhere: strike it from the list of those that are not run", line)
		}
	}
}

// helpExamples are the lines of all commands' examples.
func helpExamples(t *testing.T) []example {
	t.Helper()
	var out []example
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for line := range strings.Lines(c.Example) {
			line = strings.TrimSpace(line)
			if !strings.HasPrefix(line, c.CommandPath()) {
				t.Errorf("an example of %q is %q", c.CommandPath(), line)
			}
			out = append(out, example{c.CommandPath() + " --help", line})
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(&app.App{}))
	if len(out) < 20 {
		t.Fatalf("%d examples", len(out))
	}
	return out
}

var (
	fenced = regexp.MustCompile("(?ms)^```\\w*$\n(.*?)^```$")
	inline = regexp.MustCompile("`(sprint [^`]+)`")
)

// readmeExamples are the commands of the README's blocks, of what the program
// prints there too, and those between backquotes.
func readmeExamples(t *testing.T) []example {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var out []example
	for _, block := range fenced.FindAllSubmatch(text, -1) {
		for line := range strings.Lines(string(block[1])) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "sprint ") || strings.HasPrefix(line, "go run ./jobs/sprint ") {
				out = append(out, example{"README.md", line})
			}
		}
	}
	prose := fenced.ReplaceAll(text, nil)
	for _, code := range inline.FindAllSubmatch(prose, -1) {
		out = append(out, example{"README.md", strings.Join(strings.Fields(string(code[1])), " ")})
	}
	if len(out) < 10 {
		t.Fatalf("%d examples: %q", len(out), out)
	}
	return out
}

// checkWords parses a command line without running it.
func checkWords(words []string) error {
	cmd, rest, err := newRoot(&app.App{}).Find(words)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// exampleFolder is a folder in which every example has what it names.
type exampleFolder struct {
	dir, run string
	env      []string
}

func newExampleFolder(t *testing.T) *exampleFolder {
	t.Helper()
	e := prepareFolder(t)
	private, _ := signaturetest.Pair(t)
	write(t, e.dir, map[string]string{"release.key": private})
	for _, line := range []string{"sprint run", "sprint run --set train.seed=8", "sprint artifacts get quickstart@1 ./folder"} { // two releases
		if out, err := e.shell(line); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
	s, err := storage.Open(t.Context(), filepath.Join(e.dir, ".sprint/store"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ids, err := runs.List(t.Context(), s, 1)
	if err != nil || len(ids) == 0 {
		t.Fatal(ids, err)
	}
	e.run = ids[0]
	return e
}

// prepareFolder is the folder before anything ran.
func prepareFolder(t *testing.T) *exampleFolder {
	t.Helper()
	e := &exampleFolder{dir: t.TempDir()}
	quickstart := os.DirFS("../../examples/quickstart")
	for _, to := range []string{".", "examples/quickstart"} {
		if err := os.CopyFS(filepath.Join(e.dir, to), quickstart); err != nil {
			t.Fatal(err)
		}
	}
	write(t, e.dir, map[string]string{
		"texts.txt":       "Storm closes the harbour\n",
		"rows.jsonl":      `{"title":"Storm closes the harbour"}` + "\n",
		"tickets.csv":     string(authored(t, "tickets", 1, 120)),
		"rules_test.yaml": "tests:\n  - {text: Storm closes the harbour, want: emergencies/storm}\n",
	})
	bin := t.TempDir()
	program, err := filepath.Abs(os.Args[0])
	if err == nil {
		err = os.Symlink(program, filepath.Join(bin, "sprint"))
	}
	if err != nil {
		t.Fatal(err)
	}
	// A random encoder of two layers on the pure Go device trains in no time, and knows
	// nothing: the rules answer.
	e.env = append(os.Environ(), "SPRINT_TEST_PROGRAM=1", "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+t.TempDir(), "GITHUB_STEP_SUMMARY="+filepath.Join(e.dir, "summary.md"),
		"SPRINT_CACHE="+t.TempDir(), "SPRINT_DEVICE=go", "SPRINT_SET_TRAIN__ENCODER="+encodertest.Tiny(t),
		"SPRINT_SET_VERIFY__CHECKS=[{id: macro_f1, on: gold, min: 0}]")
	return e
}

// shell runs a line as a reader would.
func (e *exampleFolder) shell(line string) (string, error) {
	cmd := osexec.Command("/bin/sh", "-c", line)
	cmd.Dir, cmd.Env = e.dir, e.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("it ends with %w", err)
	}
	return out.String(), nil
}
