package main

import (
	"strings"
	"testing"
)

// TestFullResult: that a result could not be written is said, once, and ends a run with 4 that
// would end with 0, but leaves the code of one that failed.
func TestFullResult(t *testing.T) {
	for code, rows := range map[int]string{4: goodRows(), 11: ""} {
		dir := demo(t, map[string]string{"rows.jsonl": rows})
		got, _, said := exec(t, dir, "run", "plan.yaml", "-q", "--result", "/dev/full")
		if got != code || strings.Count(said, "could not write --result") != 1 {
			t.Errorf("code %d, want %d: %s", got, code, said)
		}
	}
}
