//go:build unix

package main

import (
	"errors"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

var (
	// block is a block of the guides: its language, and a word on why it is not run.
	block = regexp.MustCompile("(?ms)^```(\\w+)(?: (\\w+))?$\n(.*?)^```$")
	// endings says with which codes a line may end.
	endings = regexp.MustCompile(` # ends with (\d+)(?: or (\d+))?$`)
	// step is a command of a workflow.
	step = regexp.MustCompile(`(?m)^\s*- run: (sprint .*)$`)
)

// untried are the words of blocks that need what a test has not.
var untried = []string{"network", "gpu", "serves", "container"}

// TestGuides: the blocks of shell lines in the guides do what they say, in their order in one
// folder; of others, of workflows and of lines in the text all words and flags are known.
func TestGuides(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../examples/README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	e := prepareFolder(t)
	e.dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(e.dir, "news"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(e.dir, "news"), map[string]string{"tickets.csv": string(authored(t, "tickets", 1, 120))}) // the reader's own
	ran, known := 0, 0
	check := func(line string) {
		known++
		line, _, _ = strings.Cut(strings.TrimSuffix(line, " --help"), " >")
		if err := checkWords(shellWords(t, strings.TrimPrefix(instead.Replace(line), "sprint"))); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, b := range block.FindAllStringSubmatch(text, -1) {
		switch lang, word, body := b[1], b[2], b[3]; {
		case lang == "sh" && word == "":
			for line := range strings.Lines(body) {
				ran++
				e.guide(t, strings.TrimSpace(line))
			}
		case lang == "sh":
			if !slices.Contains(untried, word) {
				t.Errorf("no block is marked sh %s: %q", word, untried)
			}
			for line := range strings.Lines(body) {
				if strings.HasPrefix(line, "sprint ") {
					check(strings.TrimSpace(line))
				}
			}
		case lang == "yaml":
			var any any
			if err := yaml.Unmarshal([]byte(body), &any); err != nil {
				t.Errorf("%v:\n%s", err, body)
			}
			for _, s := range step.FindAllStringSubmatch(body, -1) {
				check(s[1])
			}
		default:
			t.Errorf("a block in %s", lang)
		}
	}
	for _, m := range inline.FindAllStringSubmatch(block.ReplaceAllString(text, ""), -1) {
		check(strings.Join(strings.Fields(m[1]), " "))
	}
	if ran < 25 || known < 30 {
		t.Errorf("%d lines were run, %d read: they stand otherwise than this test looks for", ran, known)
	}
}

// guide does a line of a block, which may change the folder of those that follow.
func (e *exampleFolder) guide(t *testing.T, line string) {
	t.Helper()
	if to, ok := strings.CutPrefix(line, "cd "); ok {
		e.dir = filepath.Join(e.dir, to)
		return
	}
	want := []string{"0"}
	if m := endings.FindStringSubmatch(line); m != nil {
		want = m[1:]
	}
	out, err := e.shell(line)
	code := 0
	if exit, ok := errors.AsType[*osexec.ExitError](err); ok {
		code = exit.ExitCode()
	}
	if !slices.Contains(want, strconv.Itoa(code)) {
		t.Errorf("%s: it ends with %d, not %s:\n%s", line, code, strings.Join(want, " or "), out)
	}
}

// TestPlanComments: the commands in the comments of the example plans have words and flags
// that there are.
func TestPlanComments(t *testing.T) {
	plans, err := filepath.Glob("../../examples/*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	known := 0
	for _, plan := range plans {
		data, err := os.ReadFile(plan)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(data), "\\\n#", "") // a line that goes on in the next
		for line := range strings.Lines(text) {
			command, ok := strings.CutPrefix(strings.TrimSpace(line), "#   sprint ")
			if !ok {
				continue
			}
			known++
			if err := checkWords(shellWords(t, command)); err != nil {
				t.Errorf("%s: sprint %s: %v", plan, command, err)
			}
		}
	}
	if known < 4 {
		t.Errorf("%d commands", known)
	}
}
