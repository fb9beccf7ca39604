//go:build e2e

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// TestParts runs the whole program as it is carried to a machine with a GPU, with the small
// shapes of a CPU: every part that applies must go well, and the file must say so.
func TestParts(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"ml/gpu", "jobs/sprint"} {
		build := exec.Command("go", "build", "-o", filepath.Join(dir, filepath.Base(name)), "../../"+name)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	file := filepath.Join(dir, "figures.json")
	cmd := exec.Command(filepath.Join(dir, "gpu"), "-device", "cpu", "-minutes", "15", "-out", file, "-cache", filepath.Join(os.TempDir(), "sprint-test-cache"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	for i, p := range parts() {
		one := r.Parts[i]
		if one.Name != p.name {
			t.Errorf("part %d is %s, not %s", i, one.Name, p.name)
		}
		mayBeMissing := []string{"memory", "large", "torch", "compiled"} // need a card, or torch
		if one.State != stateOK && !(one.State == stateSkipped && slices.Contains(mayBeMissing, p.name)) {
			t.Errorf("%s: %s: %s", one.Name, one.State, one.Message)
		}
	}
}
