package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
}

// TestModelsVerify: what of a release is damaged or gone is named, and nothing else is.
func TestModelsVerify(t *testing.T) {
	dir := t.TempDir()
	s, err := storage.Open(t.Context(), dir+"/store", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, err := s.Put(t.Context(), strings.NewReader("weights"), "")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := s.PutTree(t.Context(), []storage.TreeEntry{{Path: "Model.bin", Digest: a.Digest, Size: a.Size}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := models.In(s).Publish(t.Context(), "news", tree, nil); err != nil {
		t.Fatal(err)
	}
	if err := models.In(s).SetAlias(t.Context(), "news", "champion", 1); err != nil {
		t.Fatal(err)
	}
	verify := func(want int, ref, says string) {
		t.Helper()
		code, stdout, stderr := exec(t, dir, "models", "verify", ref, "--store", "store")
		if code != want || !strings.Contains(stdout+stderr, says) {
			t.Errorf("%s: code %d, want %d and %q: %s%s", ref, code, want, says, stdout, stderr)
		}
	}
	for _, ref := range []string{"news", "news@1", "news@champion"} {
		verify(0, ref, "news@1: 1 files of 7 bytes, every byte as its digest says")
	}
	verify(4, "news@2", "there are: version 1 (champion)")
	verify(4, "nws", "did you mean news?")
	verify(2, "news@", "names no model")
	verify(4, "../news", "is no folder, and no model")
	verify(4, "s3://bucket/models/news/1", "is no folder, and no model")
	blob, err := storage.BlobKey(a.Digest)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"models/news/1/files/model.bin", "models/news/1/claim", "models/news/1/release.json", blob} {
		path := filepath.Join(dir, "store", filepath.FromSlash(key))
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		flipped := slices.Clone(data)
		flipped[len(flipped)-1] ^= 1
		if err := os.WriteFile(path, flipped, 0o600); err != nil {
			t.Fatal(err)
		}
		verify(9, "news", key)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if want := 9; key != "models/news/1/release.json" { // without it there is no release
			verify(want, "news", key)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
