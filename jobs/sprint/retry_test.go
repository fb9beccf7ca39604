package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage"
)

// A record of a hostile store makes retry no other command than run.
func TestRetryRunsOnlyRuns(t *testing.T) {
	dir := t.TempDir()
	store, target := filepath.Join(dir, "store"), filepath.Join(dir, "made")
	s, err := storage.Open(t.Context(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, args := range [][]string{{"init", target}, {"--store", "run", "init", target}, {"retry", "20260102-150405-0660185f"}, nil} {
		record, err := json.Marshal(map[string]any{"plan": "p", "run": "20260102-150405-0660185f", "args": args})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.WriteFile(t.Context(), "runs/20260102-150405-0660185f/result.json", record); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		code := execute(t.Context(), nil, []string{"retry", "20260102-150405-0660185f", "--store", store}, os.Environ(), strings.NewReader(""), &stdout, &stderr)
		if _, err := os.Stat(target); code != 2 || !os.IsNotExist(err) || !strings.Contains(stderr.String(), "how it was started") {
			t.Errorf("%v: code %d, %v, %s", args, code, err, stderr.String())
		}
	}
}
