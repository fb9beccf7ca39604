package graph_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/stages"
)

// Digests are remembered for files that did not change for a while, and another
// one with the same size and the same time stamp, put there by a program that
// keeps those, is noticed.
func TestLookupRemembersOnlySettledFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	ask := func(path string) string {
		t.Helper()
		l := graph.NewLookup(dir, filepath.Join(dir, "cache"), true, time.Now())
		info, err := l.File(t.Context(), path)
		if err := errors.Join(err, l.Close()); err != nil {
			t.Fatal(err)
		}
		return info.Digest
	}
	digest := func(content string, stamp time.Time) string {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil { // keeps the inode
			t.Fatal(err)
		}
		if err := os.Chtimes(path, stamp, stamp); err != nil {
			t.Fatal(err)
		}
		return ask(path)
	}
	if runtime.GOOS != "windows" {
		old := time.Now().Add(-time.Hour).Truncate(time.Second)
		if digest("one", old) == digest("two", old) {
			t.Error("new bytes with the old time stamp were not noticed")
		}
	}
	fresh := time.Now()
	if digest("aaa", fresh) == digest("bbb", fresh) {
		t.Error("a fresh file was remembered")
	}
	// A file that lay there before this test was built is settled.
	settled := filepath.Join("..", "..", "go.mod")
	right := ask(settled)
	memory := filepath.Join(dir, "cache", "digests.json")
	b, err := os.ReadFile(memory)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(memory, bytes.ReplaceAll(b, []byte(right), []byte("sha256:remembered")), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := ask(settled); got != "sha256:remembered" {
		t.Errorf("the memory of a settled file was not used: %s", got)
	}
}

func TestLookupFailuresAreThePlans(t *testing.T) {
	dir := t.TempDir()
	l := graph.NewLookup(dir, filepath.Join(dir, "cache"), true, time.Now())
	_, folder := l.File(t.Context(), dir)
	_, none := l.File(t.Context(), filepath.Join(dir, "none"))
	_, glob := l.Glob(t.Context(), filepath.Join(dir, "*.none"))
	for _, err := range []error{folder, none, glob} {
		var failure *stages.Failure
		if !errors.As(err, &failure) || failure.Code != stages.CodePlan || failure.Hint == "" {
			t.Errorf("got %v", err)
		}
	}
}

func TestPinResolvesOnce(t *testing.T) {
	dir := t.TempDir()
	asked := 0
	pin := func() (string, error) {
		l := graph.NewLookup(dir, filepath.Join(dir, "cache"), true, time.Now())
		return l.Pin(t.Context(), "hub/model", func(context.Context) (string, error) { asked++; return "rev1", nil })
	}
	for range 2 {
		if v, err := pin(); err != nil || v != "rev1" {
			t.Fatalf("pin %q, %v", v, err)
		}
	}
	if asked != 1 {
		t.Errorf("resolved %d times", asked)
	}
	if err := os.WriteFile(filepath.Join(dir, "sprint.lock"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := pin(); executor.Code(err) != stages.CodePlan {
		t.Errorf("a broken lock gave %v", err)
	}
}
