package main

import (
	"strings"
	"testing"
)

// TestFullResult: that a result could not be written is said, and once: the run and its
// models are there all the same.
func TestFullResult(t *testing.T) {
	dir := demo(t, nil)
	code, _, said := exec(t, dir, "run", "plan.yaml", "-q", "--result", "/dev/full")
	if code != 0 || strings.Count(said, "could not write --result") != 1 {
		t.Errorf("code %d: %s", code, said)
	}
}
