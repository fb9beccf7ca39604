package storeio_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/stagetest"
	"github.com/sprint-ml/sprint/stages/storeio"
	"github.com/sprint-ml/sprint/storage"
)

func TestOutputsAreWholeOrNothing(t *testing.T) {
	ctx := t.Context()
	s := stagetest.Store(t)
	declared := []stages.Output{{Name: "a"}, {Name: "times", Volatile: true}}
	out := storeio.NewOutputs(s, declared)

	w, err := out.Create(ctx, "a", "text/plain")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Create(ctx, "a", "text/plain"); err == nil {
		t.Error("an output that is open was created a second time")
	}
	io.WriteString(w, "half")
	w.Abort()
	if _, err := out.Artifacts(); err == nil || !strings.Contains(err.Error(), "a, times") {
		t.Errorf("missing outputs not named: %v", err)
	}
	w, err = out.Create(ctx, "a", "text/plain") // after Abort the name is free
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "whole")
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	w.Abort() // does nothing after Commit
	if err := w.Commit(); err == nil {
		t.Error("committed twice")
	}
	if _, err := out.Create(ctx, "a", "text/plain"); err == nil {
		t.Error("an output that is committed was created a second time")
	}
	if _, err := out.Create(ctx, "other", "text/plain"); err == nil {
		t.Error("an undeclared output was created")
	}
	tw, err := out.CreateTree(ctx, "times")
	if err != nil {
		t.Fatal(err)
	}
	f, err := tw.Create("x/y")
	if err != nil {
		t.Fatal(err)
	}
	if err := tw.Commit(); err == nil {
		t.Fatal("a tree was committed with an open file")
	}
	io.WriteString(f, "1")
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"x/y", "../up", "/abs", ".", ""} {
		if _, err := tw.Create(bad); err == nil {
			t.Errorf("a tree took the path %q", bad)
		}
	}
	if err := tw.Commit(); err != nil {
		t.Fatal(err)
	}
	made, err := out.Artifacts()
	if err != nil {
		t.Fatal(err)
	}
	if len(made) != 2 || made[0].Name != "a" || made[1].Name != "times" || !made[1].Volatile || made[1].Media != storage.MediaTree {
		t.Fatalf("artifacts %+v", made)
	}

	in := storeio.NewInputs(s, map[string]storage.Artifact{"a": made[0], "times": made[1]})
	r, err := in.Open(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); err != nil || string(b) != "whole" {
		t.Errorf("read %q, %v", b, err)
	}
	if _, err := in.Open(ctx, "times"); err == nil {
		t.Error("a tree was opened as a file")
	}
	if _, err := in.Tree(ctx, "a"); err == nil {
		t.Error("a file was opened as a tree")
	}
	if _, err := in.Open(ctx, "b"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("an unknown input gave %v", err)
	}
	tree, err := in.Tree(ctx, "times")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Open(ctx, "x/z"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("an unknown file of a tree gave %v", err)
	}
	dir := t.TempDir()
	if err := tree.Fetch(ctx, dir); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "x", "y")); err != nil || string(b) != "1" {
		t.Errorf("fetched %q, %v", b, err)
	}
}

func TestFilesVerify(t *testing.T) {
	dir := stagetest.WriteFiles(t, map[string]string{"f": "one"})
	path := filepath.Join(dir, "f")
	look := &stagetest.Lookup{}
	if _, err := look.File(context.Background(), path); err != nil {
		t.Fatal(err)
	}
	files := storeio.Files(look.Found())
	read := func() ([]byte, error) {
		r, err := files.Open(t.Context(), path)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return io.ReadAll(r)
	}
	if b, err := read(); err != nil || string(b) != "one" {
		t.Fatalf("read %q, %v", b, err)
	}
	if err := os.WriteFile(path, []byte("two"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := read(); !errors.Is(err, storage.ErrCorrupt) {
		t.Errorf("changed bytes of the same length gave %v", err)
	}
	if _, err := files.Open(t.Context(), path+"x"); err == nil {
		t.Error("a file that was not resolved was opened")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	var failure *stages.Failure
	if _, err := read(); !errors.As(err, &failure) || failure.Code != stages.CodePlan {
		t.Errorf("a missing file gave %v", err)
	}
}

func TestCheckpointsKeepTheNewest(t *testing.T) {
	ctx := t.Context()
	s := stagetest.Store(t)
	var saved []int64
	c := &storeio.Checkpoints{Store: s, Kind: "toy", Key: strings.Repeat("a", 64), Saved: func(step int64) { saved = append(saved, step) }}
	if _, err := c.Restore(ctx, t.TempDir(), nil); !errors.Is(err, storage.ErrNotFound) {
		t.Fatalf("without a checkpoint: %v", err)
	}
	for step := int64(1); step <= 11; step += 5 {
		if err := c.Save(ctx, step, stagetest.WriteFiles(t, map[string]string{"w": strings.Repeat("x", int(step))})); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	step, err := c.Restore(ctx, dir, nil)
	b, _ := os.ReadFile(filepath.Join(dir, "w"))
	if err != nil || step != 11 || len(b) != 11 || len(saved) != 3 {
		t.Errorf("restored step %d with %d bytes, %v; told of %v", step, len(b), err, saved)
	}
}
