package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
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
