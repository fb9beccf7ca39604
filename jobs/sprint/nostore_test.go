package main

import (
	"net/url"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage/storagetest"
)

// TestNoStore: a store that is not there ends a run with code 4, its cause and
// what to look at.
func TestNoStore(t *testing.T) {
	good, err := url.Parse(storagetest.S3URL(t, nil)())
	if err != nil {
		t.Fatal(err)
	}
	lost, closed := *good, *good
	lost.Host = "nobucket"
	q := closed.Query()
	q.Set("endpoint", "http://127.0.0.1:1")
	closed.RawQuery = q.Encode()
	for store, says := range map[string][]string{
		lost.String():   {"bucket does not exist", "that its bucket or folder is there"},
		closed.String(): {"cannot reach 127.0.0.1:1", "can be reached"},
	} {
		dir := t.TempDir()
		write(t, dir, map[string]string{"plan.yaml": "name: toy\nstages:\n  - {name: a, kind: command, with: {argv: [\"true\"]}}\n"})
		code, _, stderr := exec(t, dir, "run", "plan.yaml", "--store", store)
		if code != 4 {
			t.Errorf("%s: code %d", store, code)
		}
		for _, s := range says {
			if !strings.Contains(stderr, s) {
				t.Errorf("%s: no %q in %s", store, s, stderr)
			}
		}
	}
}
