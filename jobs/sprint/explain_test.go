package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestExplainComparesWithOneWork: the first line sums up the list below it, which is
// about the nearest work, where plan compares with what the stage made last.
func TestExplainComparesWithOneWork(t *testing.T) {
	dir := demo(t, nil)
	for _, set := range [][]string{nil, {"--set", "split.seed=5", "--set", "split.stratify=false"}} {
		if code, _, stderr := exec(t, dir, append([]string{"run", "--until", "split"}, set...)...); code != 0 {
			t.Fatalf("run %v ends with %d:\n%s", set, code, stderr)
		}
	}
	_, plan, _ := exec(t, dir, "plan", "--set", "split.seed=9")
	if !strings.Contains(plan, "option seed: 5 -> 9, option stratify: false -> true") {
		t.Errorf("plan does not compare with the last work:\n%s", plan)
	}
	_, out, _ := exec(t, dir, "explain", "split", "--set", "split.seed=9")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if lines[0] != "split would run: option seed: 1 -> 9" || lines[len(lines)-1] != "  option seed: 1 -> 9" {
		t.Errorf("the first line tells of other work than the list:\n%s", out)
	}
	_, out, _ = exec(t, dir, "explain", "split", "--set", "split.seed=9", "-o", "json")
	if !strings.Contains(out, `"reason":"option seed: 1 -\u003e 9"`) {
		t.Errorf("the reason is of other work than the changes: %s", out)
	}
	if code, _, stderr := exec(t, dir, "explain", "plan.yaml"); code != 2 || !strings.Contains(stderr, "sprint explain STAGE plan.yaml") {
		t.Errorf("a plan without a stage: code %d\n%s", code, stderr)
	}
}

// TestChangedFilesAreNamed: which of several files has new bytes is said by plan, by
// explain and by the events of a run, of which status is made.
func TestChangedFilesAreNamed(t *testing.T) {
	dir := demo(t, map[string]string{"plan.yaml": strings.Replace(goodPlan, "[rows.jsonl]", "[rows.jsonl, b.jsonl, c.jsonl]", 1), "b.jsonl": goodRows(), "c.jsonl": goodRows() + "\n"})
	runFetch := []string{"run", "--only", "fetch", "-o", "json"}
	if code, _, stderr := exec(t, dir, runFetch...); code != 0 {
		t.Fatalf("run ends with %d:\n%s", code, stderr)
	}
	write(t, dir, map[string]string{"b.jsonl": goodRows() + "\n\n"})
	for _, args := range [][]string{{"plan"}, {"explain", "fetch"}, runFetch} {
		if _, out, _ := exec(t, dir, args...); !strings.Contains(out, "files changed: b.jsonl") {
			t.Errorf("%v does not name the file:\n%s", args, out)
		}
	}
	write(t, dir, map[string]string{"a.jsonl": goodRows() + "\n\n\n", "c.jsonl": goodRows() + "\n\n\n\n"})
	path := filepath.Join(dir, "plan.yaml")
	if _, out, _ := exec(t, t.TempDir(), "plan", path, "--store", filepath.Join(dir, ".sprint", "store"), "--set", "fetch.files.paths=["+filepath.Join(dir, "a.jsonl")+", "+filepath.Join(dir, "c.jsonl")+"]"); !strings.Contains(out, "files changed: "+filepath.Join(dir, "a.jsonl")+" and 1 more") {
		t.Errorf("two new files are told as\n%s", out)
	}
}
