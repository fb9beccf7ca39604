package main

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages"
)

// TestHelpShowsEveryExitCode reads the table back from --help: a code that it
// leaves out, or explains otherwise, would mislead a script's author.
func TestHelpShowsEveryExitCode(t *testing.T) {
	code, out, _ := exec(t, t.TempDir(), "--help")
	_, table, found := strings.Cut(out, "Exit codes:\n")
	if code != 0 || !found {
		t.Fatalf("code %d, no exit codes in:\n%s", code, out)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	row := regexp.MustCompile(`(?m)^ +(\d+)  (.+)$`)
	shown := map[stages.Code]string{}
	for _, m := range row.FindAllStringSubmatch(table, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		shown[stages.Code(n)] = m[2]
	}
	for _, e := range stages.Exits() {
		if shown[e.Code] != e.Meaning {
			t.Errorf("--help says of code %d %q, the table says %q", e.Code, shown[e.Code], e.Meaning)
		}
		delete(shown, e.Code)
	}
	if len(shown) > 0 {
		t.Errorf("--help has codes that the table has not: %v", shown)
	}
}
