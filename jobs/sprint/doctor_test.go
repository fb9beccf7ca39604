package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// filesBelow lists the files in a folder but for the locks of a store.
func filesBelow(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && filepath.Base(filepath.Dir(path)) != ".tmp" {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestDoctorMakesNothing: in a folder without a store it says what would be, and a store that
// is there is the same when it has been tried.
func TestDoctorMakesNothing(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{{"doctor"}, {"doctor", "--store", "new/store"}, {"doctor", "--store", "file://" + dir + "/x"}} {
		code, out, stderr := exec(t, dir, args...)
		if code != 0 || !strings.Contains(out, "--  store") || !strings.Contains(out, "would make it") {
			t.Errorf("%v: code %d: %s%s", args, code, out, stderr)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
	dir = demo(t, nil)
	if code, _, stderr := exec(t, dir, "run"); code != 0 {
		t.Fatal(stderr)
	}
	before := filesBelow(t, dir)
	for _, args := range [][]string{{"doctor"}, {"doctor", "--store", ".sprint/store"}} {
		code, out, stderr := exec(t, dir, args...)
		if code != 0 || !strings.Contains(out, "ok  store") {
			t.Errorf("%v: code %d: %s%s", args, code, out, stderr)
		}
	}
	if after := filesBelow(t, dir); !slices.Equal(before, after) {
		t.Errorf("it changed %d files to %d", len(before), len(after))
	}
}

// TestDoctorStopsAtARefusal: a store that cannot be reached is said once, with what to
// set.
func TestDoctorStopsAtARefusal(t *testing.T) {
	for store, want := range map[string]string{
		"s3://bucket/x":          "set AWS_REGION (and credentials",
		"s3://bucket/x?region=r": "credentials",
	} {
		t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
		code, out, stderr := exec(t, t.TempDir(), "doctor", "--store", store)
		if code != 4 || strings.Count(out, "BAD store") != 1 || !strings.Contains(out, want) || strings.Contains(out, "share no such store") {
			t.Errorf("%s: code %d: %s%s", store, code, out, stderr)
		}
	}
	if code, _, stderr := exec(t, t.TempDir(), "runs", "--store", "s3://bucket"); code != 4 || !strings.Contains(stderr, "set AWS_REGION (and credentials") {
		t.Errorf("code %d: %s", code, stderr)
	}
}

// TestDoctorTriesSources: with a plan its files are opened, objects of a store looked up and
// GDELT asked once; what a run would miss ends with code 4 and what to do.
func TestDoctorTriesSources(t *testing.T) {
	asks := 0
	gdelt := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asks++; r.FormValue("query") == "storm" {
			_, _ = io.WriteString(w, `{"articles": [{"title": "Storm closes the harbour"}]}`)
			return
		}
		_, _ = io.WriteString(w, "Your query was too short or too long.")
	}))
	defer gdelt.Close()
	url := storagetest.S3URL(t, nil)()
	s, err := storage.Open(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Bucket.WriteFile(t.Context(), "rows.jsonl", []byte("{}\n")); err != nil {
		t.Fatal(err)
	}
	object := func(name string) string {
		base, query, _ := strings.Cut(url, "?")
		return "fetch.files.paths=" + strings.TrimSuffix(base, "/") + "/" + name + "?" + query
	}
	ask := func(query string) []string {
		return []string{"--set", "fetch.source=gdelt", "--set", "fetch.gdelt={query: " + query + ", endpoint: '" + gdelt.URL + "', pace: 0s}"}
	}
	for _, c := range []struct {
		args []string
		code int
		want string
		asks int
	}{
		{nil, 0, "ok  source    fetch: rows.jsonl: ", 0},
		{[]string{"--set", "fetch.files.paths=[rows.jsonl, gone.jsonl]"}, 4, "BAD source    fetch: DIR/gone.jsonl: cannot read DIR/gone.jsonl: no such file", 0},
		{[]string{"--set", "fetch.files.paths=gone*.jsonl"}, 4, "no file fits the pattern\n              fix: check the path", 0},
		{[]string{"--set", object("rows.jsonl")}, 0, ": 3 bytes", 0},
		{[]string{"--set", object("*.jsonl")}, 0, ": 3 bytes", 0},
		{[]string{"--set", object("gone.jsonl")}, 4, "fix: check the URL, its region and the credentials", 0},
		{[]string{"--offline", "--set", object("rows.jsonl")}, 0, ": not tried, offline", 0},
		{ask("storm"), 0, "ok  source    fetch: GDELT: 1 rows of ", 1},
		{ask("x"), 4, "GDELT says: Your query was too short or too long.\n              fix: mend the options below gdelt", 1},
		{append(ask("storm"), "--offline"), 0, "--  source    fetch: GDELT: not tried, offline", 0},
	} {
		dir := demo(t, nil)
		asks = 0
		code, out, stderr := exec(t, dir, append([]string{"doctor", "plan.yaml", "--cache", t.TempDir()}, c.args...)...)
		if code != c.code || !strings.Contains(out, strings.ReplaceAll(c.want, "DIR", dir)) || asks != c.asks {
			t.Errorf("%v: code %d, %d asks: no %q in\n%s%s", c.args, code, asks, c.want, out, stderr)
		}
	}
	if code, _, stderr := exec(t, demo(t, nil), "doctor", "--set", "fetch.min_rows=3"); code != 2 || !strings.Contains(stderr, "none is named") {
		t.Errorf("--set without a plan: code %d: %s", code, stderr)
	}
}
