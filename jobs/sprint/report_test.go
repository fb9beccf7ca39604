package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/report/render"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// TestReport: any run has a report, also one that failed and one that was
// killed before it had an end.
func TestReport(t *testing.T) {
	dir := demo(t, nil)
	if code, _, stderr := exec(t, dir, "report"); code != 4 || !strings.Contains(stderr, "no store") {
		t.Errorf("without runs: code %d: %s", code, stderr)
	}
	if code, _, stderr := exec(t, dir, "run"); code != 0 {
		t.Fatal(stderr)
	}
	code, stdout, stderr := exec(t, dir, "report", "-o", "json", "--output", "out")
	var files struct{ Run, HTML, MD string }
	if err := json.Unmarshal([]byte(stdout), &files); code != 0 || err != nil {
		t.Fatalf("code %d, %v: %s%s", code, err, stdout, stderr)
	}
	for path, want := range map[string]string{files.HTML: "<!DOCTYPE html>", files.MD: "# demo: ✓ done"} {
		if b, err := os.ReadFile(filepath.Join(dir, path)); err != nil || !strings.HasPrefix(strings.TrimSpace(string(b)), want) {
			t.Errorf("%s: %v: %.100s", path, err, b)
		}
	}
	if code, stdout, stderr = exec(t, dir, "report", "--output", "out", files.Run); code != 0 || !strings.Contains(stdout, filepath.Join("out", "report.html")) {
		t.Errorf("again: code %d: %s%s", code, stdout, stderr)
	}
	md := func(run string) string {
		t.Helper()
		code, stdout, stderr := exec(t, dir, "report", "-o", "md", run)
		if code != 0 {
			t.Fatal(stderr)
		}
		return stdout
	}
	whole := md(files.Run)
	for _, want := range []string{"| fire | 20 | 50 % |", "| train | 24 | 60 % |", "no stage of kind verify", "label.labelled"} {
		if !strings.Contains(whole, want) {
			t.Errorf("the report lacks %q:\n%s", want, whole)
		}
	}

	// All is cached: the same facts from the manifests of the earlier run.
	if code, _, stderr := exec(t, dir, "run"); code != 0 {
		t.Fatal(stderr)
	}
	s, err := storage.Open(t.Context(), filepath.Join(dir, ".sprint/store"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ids, err := runs.List(t.Context(), s, 1)
	if err != nil || ids[0] == files.Run {
		t.Fatal(ids, err)
	}
	if cached := md(ids[0]); !strings.Contains(cached, "run "+files.Run+", try 1") || !strings.Contains(cached, "| fire | 20 | 50 % |") {
		t.Errorf("of a run in which all was cached:\n%s", cached)
	}

	// A run that was killed left no result, and has one stage of its own and
	// one that was done before.
	if code, _, stderr := exec(t, dir, "run", "--force=split"); code != 0 {
		t.Fatal(stderr)
	}
	if ids, err = runs.List(t.Context(), s, 1); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, ".sprint/store/runs", ids[0], "result.json")); err != nil {
		t.Fatal(err)
	}
	killed := md(ids[0])
	for _, want := range []string{"# demo: ▲", "| fire | 20 | 50 % |", "| train | 24 | 60 % |", "run " + files.Run + ", try 1", "this run, try 1"} {
		if !strings.Contains(killed, want) {
			t.Errorf("of a killed run, it lacks %q:\n%s", want, killed)
		}
	}

	for _, args := range [][]string{{"report", "nope"}, {"report", "-o", "pdf"}, {"report", "-o", "md", "--output", "x"}, {"report", "../x"}} {
		if code, _, stderr := exec(t, dir, args...); code != 2 {
			t.Errorf("%v ends with %d: %s", args, code, stderr)
		}
	}
}

// TestKeepReport: only a run that trained or verified keeps a report, and one
// that cannot be kept is a warning.
func TestKeepReport(t *testing.T) {
	dir := demo(t, nil)
	if code, _, stderr := exec(t, dir, "run"); code != 0 {
		t.Fatal(stderr)
	}
	s, err := storage.Open(t.Context(), filepath.Join(dir, ".sprint/store"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ids, err := runs.List(t.Context(), s, 1)
	if err != nil {
		t.Fatal(err)
	}
	unknown := "20260102-150405-0660185f"
	verify := func(state runs.State, outputs map[string]runs.OutputResult) runs.StageResult {
		return runs.StageResult{Name: "verify", Kind: "verify", State: state, Outputs: outputs}
	}
	some := map[string]runs.OutputResult{"metrics": {}}
	for name, c := range map[string]struct {
		run   string
		stage runs.StageResult
		kept  bool
		fails bool
	}{
		"verified":      {ids[0], verify(runs.Succeeded, some), true, false},
		"gate closed":   {ids[0], verify(runs.Failed, some), true, false},
		"cached":        {ids[0], verify(runs.Cached, some), false, false},
		"broke":         {ids[0], verify(runs.Failed, nil), false, false},
		"interrupted":   {ids[0], verify(runs.Interrupted, nil), false, false},
		"only fetched":  {ids[0], runs.StageResult{Name: "fetch", Kind: "fetch", State: runs.Succeeded, Outputs: some}, false, false},
		"nothing there": {unknown, verify(runs.Succeeded, some), false, true},
	} {
		at, err := render.Keep(t.Context(), s, &runs.Result{Run: &c.run, Stages: []runs.StageResult{c.stage}})
		if (at != "") != c.kept || (err != nil) != c.fails {
			t.Errorf("%s: kept %q, said %v", name, at, err)
		}
		key := "runs/" + c.run + "/report.html"
		if _, err := s.Stat(t.Context(), key); (err == nil) != c.kept {
			t.Errorf("%s: %v", name, err)
		}
		if c.kept {
			if err := s.Sweep(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
	}
}
