package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// overlayPlan is a plan whose label stage reads corrections.csv.
var overlayPlan = strings.Replace(goodPlan, "  - name: label\n", "  - name: label\n    with:\n      source: [rules, overlay]\n      overlay: {file: corrections.csv}\n", 1)

// TestImportedFormulas: what a review says of a row is in the overlay no formula, and
// still about that row when the plan runs.
func TestImportedFormulas(t *testing.T) {
	dir := demo(t, map[string]string{
		"plan.yaml": overlayPlan, "rows.jsonl": goodRows() + `{"id":"=1+1","title":"A quiet day"}` + "\n",
		"corrections.csv": "id,fire,reviewer,note\nother,1,anna,keep me\n",
		"review.csv":      "id,title,fire,reviewer,note\n'=1+1,A quiet day,1,\"=HYPERLINK(\"\"http://x\"\")\",@odd\n",
	})
	if code, stdout, stderr := exec(t, dir, "review", "import", "review.csv"); code != 0 {
		t.Fatalf("code %d: %s%s", code, stdout, stderr)
	}
	text, err := os.ReadFile(filepath.Join(dir, "corrections.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"'=1+1,", `"'=HYPERLINK(`, "'@odd", "keep me"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not in the overlay:\n%s", want, text)
		}
	}
	if code, stdout, stderr := exec(t, dir, "run", "--until", "label"); code != 0 {
		t.Fatalf("code %d: %s%s", code, stdout, stderr)
	}
	if r := labelled(t, dir)["=1+1"]; len(r.Labels) == 0 || r.Labels[0].Score != 1 || r.LabelSource != "overlay" {
		t.Errorf("the corrected row is %+v by %q", r.Labels, r.LabelSource)
	}
}

// TestReviewOfTheFuture: a date that no later review could beat is not taken in, and one
// that stands in the overlay is told.
func TestReviewOfTheFuture(t *testing.T) {
	const future, past = "id,fire,reviewer,time\nx,1,anna,2026-01-01T00:00:00Z\nx,1,anna,2199-01-01T00:00:00Z\n", "id,fire,reviewer,time\nx,0,anna,2026-01-01T00:00:00Z\n"
	for name, c := range map[string]struct{ overlay, review, file string }{
		"review":  {past, future, "review.csv"},
		"overlay": {future, past, "corrections.csv"},
	} {
		dir := demo(t, map[string]string{"plan.yaml": overlayPlan, "corrections.csv": c.overlay, "review.csv": c.review})
		code, _, stderr := exec(t, dir, "review", "import", "review.csv")
		if code != 1 || !strings.Contains(stderr, c.file+": record 2 is dated 2199-01-01T00:00:00Z") || !strings.Contains(stderr, "write when it was reviewed") {
			t.Errorf("%s: code %d, %s", name, code, stderr)
		}
		if have, err := os.ReadFile(filepath.Join(dir, "corrections.csv")); err != nil || string(have) != c.overlay {
			t.Errorf("%s: the overlay changed, %v:\n%s", name, err, have)
		}
		bad := name == "overlay"
		code, _, stderr = exec(t, dir, "validate")
		if code != 0 || strings.Contains(stderr, "warning: corrections.csv:3: it is dated 2199") != bad {
			t.Errorf("%s: validate ends with %d, %s", name, code, stderr)
		}
		if code, _, _ = exec(t, dir, "validate", "--strict"); (code == 3) != bad {
			t.Errorf("%s: validate --strict ends with %d", name, code)
		}
		code, stdout, stderr := exec(t, dir, "run", "--until", "label")
		if code != 0 || strings.Contains(stdout+stderr, "dated in the future") != bad {
			t.Errorf("%s: the run ends with %d, %s%s", name, code, stdout, stderr)
		}
	}
}

// TestOverlayBehindALink: an import changes the file that the link leads to, and who may
// read it stays as it was. A file is not imported into itself.
func TestOverlayBehindALink(t *testing.T) {
	dir := demo(t, map[string]string{"plan.yaml": overlayPlan, "review.csv": "id,fire,reviewer\nx,1,anna\n"})
	target := filepath.Join(t.TempDir(), "shared.csv")
	link := filepath.Join(dir, "corrections.csv")
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err)
	}
	if code, _, stderr := exec(t, dir, "review", "import", "review.csv"); code != 2 || !strings.Contains(stderr, "corrections.csv is a link that leads to no file") {
		t.Errorf("a link to nothing: code %d, %s", code, stderr)
	}
	if err := os.WriteFile(target, []byte("id,fire,reviewer\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := exec(t, dir, "review", "import", "review.csv"); code != 0 {
		t.Fatalf("code %d: %s", code, stderr)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link was replaced, %v", err)
	}
	info, err := os.Stat(target)
	text, bad := os.ReadFile(target)
	if err != nil || bad != nil || info.Mode().Perm() != 0o600 || !strings.Contains(string(text), "anna") {
		t.Errorf("%v %v, mode %v:\n%s", err, bad, info.Mode(), text)
	}
	for _, file := range []string{target, link} {
		if code, _, stderr := exec(t, dir, "review", "import", file); code != 2 || !strings.Contains(stderr, "is the overlay itself") {
			t.Errorf("%s: code %d, %s", file, code, stderr)
		}
	}
}
