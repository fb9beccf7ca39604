//go:build unix

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// TestKilledServeLeavesNoModel: the copy of a model that a killed process used goes
// when another one opens a model, and that of a live one stays.
func TestKilledServeLeavesNoModel(t *testing.T) {
	dir, tmp := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", tmp)
	s, err := storage.Open(t.Context(), filepath.Join(dir, "store"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var entries []storage.TreeEntry
	for name, text := range map[string]string{"taxonomy.yaml": goodTaxonomy, "thresholds.json": "{}"} {
		a, err := s.Put(t.Context(), strings.NewReader(text), "text/plain")
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, storage.TreeEntry{Path: name, Digest: a.Digest, Size: a.Size})
	}
	tree, err := s.PutTree(t.Context(), entries)
	if err == nil {
		_, err = models.In(s).Publish(t.Context(), "toy", tree, []byte("{}"))
	}
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	left := func() int {
		entries, err := os.ReadDir(tmp)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	serve := startProgram(t, dir, "serve", "--store", "store", "--model", "toy@1", "--device", "go", "--listen", "127.0.0.1:0")
	serve.says(t, "listening on")
	for _, want := range []int{1, 0} { // while serve lives, and when it is gone
		classify := startProgram(t, dir, "classify", "--store", "store", "--model", "toy@1", "--device", "go", "Blaze in the harbour")
		if code := classify.code(t); code != 0 || !strings.Contains(classify.said.String(), `"top":"fire"`) {
			t.Fatalf("classify ends with %d: %s", code, classify.said.String())
		}
		if n := left(); n != want {
			t.Errorf("%d folders are left, want %d", n, want)
		}
		if want == 1 {
			_ = serve.Process.Kill()
			_ = serve.Wait() // it was killed
		}
	}
}
