package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// TestDiff compares, of three runs, the two that measured something.
func TestDiff(t *testing.T) {
	dir := t.TempDir()
	s, err := storage.Open(t.Context(), dir+"/store", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	save := func(minute int, state runs.State, wrong int) string {
		t.Helper()
		var lines strings.Builder
		for i := range 60 {
			fmt.Fprintf(&lines, `{"on":"gold","id":"%d","title":"row %d","categories":{"fire":{"truth":%t,"answer":%t}}}`+"\n", i, i, i%2 == 0, (i%2 == 0) != (i < wrong))
		}
		a, err := s.Put(t.Context(), strings.NewReader(lines.String()), "")
		if err != nil {
			t.Fatal(err)
		}
		started := time.Date(2026, 1, 2, 3, minute, 0, 0, time.UTC)
		id := runs.NewID(started)
		st := runs.StageResult{Name: "verify", Kind: "verify", State: state}
		if wrong >= 0 {
			st.Outputs, st.Key = map[string]runs.OutputResult{"predictions": {Digest: a.Digest, Size: a.Size}}, fmt.Sprintf("%064x", wrong)
		}
		err = runs.SaveRecord(t.Context(), s, runs.Record{Plan: "p", Started: started, Finished: started, Result: runs.Result{Run: &id, Class: "done", Stages: []runs.StageResult{st}}})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	first := save(1, runs.Succeeded, 20)
	second := save(2, runs.Succeeded, 2)
	save(3, runs.Cached, 2)
	save(4, runs.Skipped, -1)
	code, stdout, stderr := exec(t, dir, "diff", "--store", "store")
	for _, want := range []string{"- run " + first, "+ run " + second, "fire ", "better", "0 wrong now, 18 right now", "+ fire: no -> yes: row 2\n", "--all shows the rest"} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("code %d, no %q in:\n%s%s", code, want, stdout, stderr)
		}
	}
	if code, stdout, _ := exec(t, dir, "diff", "--store", "store", "--all"); code != 0 || strings.Count(stdout, "  + fire: ") != 18 {
		t.Errorf("--all: code %d\n%s", code, stdout)
	}
	if code, stdout, _ := exec(t, dir, "diff", "--store", "store", "--md"); code != 0 || !strings.Contains(stdout, "| fire | 30 | ") || strings.Count(stdout, "```") != 4 {
		t.Errorf("--md: code %d\n%s", code, stdout)
	}
	for limit, want := range map[string]int{"macro_f1 < -0.01": 0, "f1.fire < 0.9": 5, "f1.fir < 0": 2, "rubbish": 2} {
		if code, _, stderr := exec(t, dir, "diff", "--store", "store", "--fail-on", limit); code != want {
			t.Errorf("--fail-on %q ends with %d, want %d: %s", limit, code, want, stderr)
		}
	}
	if code, _, stderr := exec(t, dir, "diff", second, first, "--store", "store", "--fail-on", "macro_f1 < -0.01"); code != 5 || !strings.Contains(stderr, "beyond the limit") {
		t.Errorf("a loss ends with %d: %s", code, stderr)
	}
}
