package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// TestModels lists releases with what verify measured of them before.
func TestModels(t *testing.T) {
	dir := t.TempDir()
	s, err := storage.Open(t.Context(), dir+"/store", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	publish := func(name, metrics string) {
		t.Helper()
		var files []storage.TreeEntry
		for path, text := range map[string]string{"metrics.json": metrics, "model.safetensors": "weights of " + metrics} {
			a, err := s.Put(t.Context(), strings.NewReader(text), "")
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, storage.TreeEntry{Path: path, Digest: a.Digest, Size: a.Size})
		}
		tree, err := s.PutTree(t.Context(), files)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := models.In(s).Publish(t.Context(), name, tree, json.RawMessage(`{"run":"r1","date":"2026-05-04T03:02:01Z"}`)); err != nil {
			t.Fatal(err)
		}
	}
	scores := `{"rows":90,"macro_f1":%g,"per_category":{"a":{}},"ci":{"macro_f1":[0.7,0.8]}%s}`
	publish("news", `{"test":`+fmt.Sprintf(scores, 0.2, "")+`,"gold":`+fmt.Sprintf(scores, 0.75, "")+
		`,"details":{"gold":{"gains":{"keywords":{"macro_f1":{"value":0.125,"ci":[0.1,0.15]}}}}}}`)
	publish("news", `{"test":`+fmt.Sprintf(scores, 0.5, "")+`}`)
	publish("news", `{"test":`+fmt.Sprintf(scores, 0.0, `,"unsupported":["a"]`)+`}`)
	publish("other", "rubbish")
	if err := models.In(s).SetAlias(t.Context(), "news", "champion", 1); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := exec(t, dir, "models", "--store", "store")
	want := [][]string{
		{"MODEL", "ALIASES", "MACRO-F1", "GAIN", "SIZE", "RUN"},
		{"news@1", "champion", "0.750 (0.700 to 0.800)", "+0.125", "r1"},
		{"news@2", "0.500 (0.700 to 0.800) on test"},
		{"news@3", "-"},
		{"other@1", "-"},
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if code != 0 || len(lines) != len(want) {
		t.Fatalf("%d %s%s", code, stdout, stderr)
	}
	for i, words := range want {
		for _, w := range words {
			if !strings.Contains(lines[i], w) {
				t.Errorf("line %d has no %q: %s", i, w, lines[i])
			}
		}
	}
	for ref, n := range map[string]int{"news": 3, "news@2": 1, "news@champion": 1} {
		code, stdout, _ := exec(t, dir, "models", ref, "--store", "store", "-o", "json")
		if lines := strings.Count(stdout, "\n"); code != 0 || lines != n {
			t.Errorf("%s: code %d, %d lines", ref, code, lines)
		}
	}
	for _, ref := range []string{"nothing", "news@9", "news@", "../x"} {
		if code, stdout, stderr := exec(t, dir, "models", ref, "--store", "store"); code != 2 || stdout != "" || stderr == "" {
			t.Errorf("%s: code %d, %s%s", ref, code, stdout, stderr)
		}
	}
}
