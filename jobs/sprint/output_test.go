package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a program prints reaches the terminal as text, by all ways, and JSON
// stays the JSON that it was.
func TestOutputOfAProgramCannotSteer(t *testing.T) {
	t.Chdir(t.TempDir())
	plan := `name: steer
stages:
  - name: bad
    kind: command
    with: {shell: true, argv: ["printf 'a\\033]0;owned\\007\\rb\\n' >&2; exit 3"]}
`
	if err := os.WriteFile("plan.yaml", []byte(plan), 0o644); err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(t.TempDir(), "store")
	for _, args := range [][]string{
		{"run", "plan.yaml", "-v"}, {"run", "plan.yaml", "-o", "github"}, {"run", "plan.yaml", "-o", "json"}, {"logs"}, {"status"}, {"report", "-o", "md"}, {"runs", "-o", "json"},
	} {
		var stdout, stderr bytes.Buffer
		execute(t.Context(), nil, append(args, "--store", store), os.Environ(), strings.NewReader(""), &stdout, &stderr)
		for _, out := range []string{stdout.String(), stderr.String()} {
			if strings.ContainsAny(out, "\x1b\x07\r") {
				t.Errorf("%v: %q", args, out)
			}
		}
		if args[len(args)-1] == "json" {
			for line := range strings.Lines(stdout.String()) {
				if !json.Valid([]byte(line)) {
					t.Errorf("%v: no JSON: %s", args, line)
				}
			}
		}
	}
}
