package main

import (
	"strings"
	"testing"
)

// TestDoctorOfFoldersThatCannotBeMade: a store or a cache that no run could make is no
// hint that it would.
func TestDoctorOfFoldersThatCannotBeMade(t *testing.T) {
	for flag, want := range map[string]string{
		"--store": "BAD store     /proc/sprint/store is not there, and cannot be made: write in /proc: ",
		"--cache": "BAD cache     /proc/sprint/store cannot be written: write in /proc: ",
	} {
		code, stdout, stderr := exec(t, t.TempDir(), "doctor", flag, "/proc/sprint/store")
		if code != 4 || !strings.Contains(stdout, want) || !strings.Contains(stdout, "fix: name a folder of yours: "+flag+" FOLDER") {
			t.Errorf("%s: code %d: %s%s", flag, code, stdout, stderr)
		}
	}
}
