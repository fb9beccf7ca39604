package jobs_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/stages"
)

// Digests are remembered by size, time and inode, and never for a file so fresh
// that a second write could leave the same stamp.
func TestLookupRemembersOnlySettledFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	digest := func(content string, stamp time.Time) string {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil { // keeps the inode
			t.Fatal(err)
		}
		if err := os.Chtimes(path, stamp, stamp); err != nil {
			t.Fatal(err)
		}
		l := jobs.NewLookup(dir, filepath.Join(dir, "cache"), true, time.Now())
		info, err := l.File(t.Context(), path)
		if err := errors.Join(err, l.Close()); err != nil {
			t.Fatal(err)
		}
		return info.Digest
	}
	one := digest("one", old)
	if two := digest("two", old); two != one {
		t.Error("the memory of a settled file was not used")
	}
	if two := digest("two", old.Add(time.Second)); two == one {
		t.Error("a new time stamp was not noticed")
	}
	fresh := time.Now()
	if digest("aaa", fresh) == digest("bbb", fresh) {
		t.Error("a fresh file was remembered")
	}
}

func TestLookupFailuresAreThePlans(t *testing.T) {
	dir := t.TempDir()
	l := jobs.NewLookup(dir, filepath.Join(dir, "cache"), true, time.Now())
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
		l := jobs.NewLookup(dir, filepath.Join(dir, "cache"), true, time.Now())
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
	if _, err := pin(); jobs.Code(err) != stages.CodePlan {
		t.Errorf("a broken lock gave %v", err)
	}
}
