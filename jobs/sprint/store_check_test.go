package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage"
)

// TestStoreCheck: a blob that a manifest names and that is gone ends every check with
// code 9 and the stage that makes it again; so does a flipped one once it was read.
// The run that they name mends both.
func TestStoreCheck(t *testing.T) {
	dir := demo(t, nil)
	code, stdout, stderr := exec(t, dir, "run", "-o", "json")
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	var r struct {
		Stages []struct {
			Name    string
			Outputs map[string]struct{ Digest string }
		}
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil || code != 0 {
		t.Fatalf("code %d, %v: %s%s", code, err, stdout, stderr)
	}
	path := func(stage int, output string) string {
		key, err := storage.BlobKey(r.Stages[stage].Outputs[output].Digest)
		if err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, ".sprint/store", filepath.FromSlash(key))
	}
	gone, flipped := path(1, "labelled"), path(2, "train")
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(flipped)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(flipped, data, 0o644); err != nil {
		t.Fatal(err)
	}
	says := func(want int, args []string, texts ...string) string {
		t.Helper()
		code, stdout, stderr := exec(t, dir, args...)
		if code != want {
			t.Errorf("%v ends with %d, want %d:\n%s%s", args, code, want, stdout, stderr)
		}
		for _, text := range texts {
			if !strings.Contains(stdout+stderr, text) {
				t.Errorf("%v does not say %q:\n%s%s", args, text, stdout, stderr)
			}
		}
		return stdout
	}
	label, split := "stage label of plan demo makes it again: `sprint run PLAN`", "stage split of plan demo makes it again"
	store := []string{"--store", ".sprint/store"}
	if out := says(9, append([]string{"store", "check"}, store...), "missing", label, "no bytes"); strings.Contains(out, split) {
		t.Errorf("bytes were read that nobody asked for:\n%s", out)
	}
	says(9, append([]string{"artifacts", "verify", "--all"}, store...), "missing", "damaged", label, split)
	says(9, append([]string{"artifacts", "verify"}, store...), "BAD label.labelled: missing", "BAD split.train: damaged", label, split)
	var report struct {
		Whole  bool
		Faults []struct{ Key, Problem, Stage, Repair string }
	}
	out := says(9, []string{"store", "check", "--read-data-subset", "1/1", "-o", "json"})
	if err := json.Unmarshal([]byte(out), &report); err != nil || report.Whole || len(report.Faults) != 2 {
		t.Errorf("the report is %+v, %v", report, err)
	}
	says(2, []string{"store", "check", "--read-data-subset", "5"}, "2/7")
	says(2, []string{"store", "check", "--read-data-subset", "5%", "--read-data"}, "leave out")
	for _, args := range [][]string{{"store", "check"}, {"artifacts", "verify", "--all"}} {
		says(4, append(args, "--store", "nowhere"), "no store at")
		says(4, append(args, "--store", t.TempDir()), "no store at")
	}
	if _, err := os.Stat(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a check made a store")
	}
	says(0, []string{"run"})
	says(0, []string{"store", "check", "--read-data"}, "the store is whole")
	says(0, []string{"artifacts", "verify"}, "as its digest says")
}
