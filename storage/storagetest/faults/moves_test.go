package faults_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/storagetest/faults"
)

// movesEnv makes a child do moves in place of work.
const movesEnv = "TEST_MOVES"

// moves publishes three releases, promotes each, and rolls back twice. It goes on where an
// earlier one stopped, as its history says.
func moves(ctx context.Context, dir string, injector *faults.Injector) error {
	s, err := storage.Open(ctx, dir, &storage.Options{Backoff: time.Microsecond, Around: injector.Around})
	if err != nil {
		return err
	}
	defer s.Close()
	r := models.In(s)
	for v := 1; v <= 3; v++ {
		a, err := s.Put(ctx, strings.NewReader(fmt.Sprint("weights ", v)), "")
		if err != nil {
			return err
		}
		tree, err := s.PutTree(ctx, []storage.TreeEntry{{Path: "model", Digest: a.Digest, Size: a.Size}})
		if err != nil {
			return err
		}
		if made, err := r.Publish(ctx, "toy", tree, nil); err != nil || made.Version != v {
			return fmt.Errorf("version %d is %d: %w", v, made.Version, err)
		}
		if err := step(ctx, r, v, v); err != nil {
			return err
		}
	}
	for n := 4; n <= 5; n++ {
		if err := step(ctx, r, n, 0); err != nil {
			return err
		}
	}
	return nil
}

// step is the n-th move of the alias, to a version or, if that is 0, back; nothing if it
// was done before.
func step(ctx context.Context, r models.Registry, n, to int) error {
	seen, err := r.LastMove(ctx, "toy", "champion")
	if err != nil || seen.Number >= n {
		return err
	}
	back := to == 0
	if back {
		if to, err = r.EarlierVersion(ctx, "toy", "champion"); err != nil {
			return err
		}
	}
	_, err = r.MoveAlias(ctx, "toy", "champion", to, seen, models.Reason{Who: "child", Rollback: back})
	return err
}

// wholeHistory demands that the alias names a whole release and that the history is what
// was done, without a gap: the first moves of all, at least least of them.
func wholeHistory(t *testing.T, what, dir string, least int) {
	t.Helper()
	s, err := storage.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := models.In(s)
	all, err := r.History(t.Context(), "toy", "champion", 0)
	if err != nil && least > 0 {
		t.Fatalf("%s: %v", what, err)
	}
	want := []int{1, 2, 3, 2, 1}
	if len(all) < least || len(all) > len(want) {
		t.Fatalf("%s: %d moves, at least %d were done", what, len(all), least)
	}
	for i, m := range all {
		n, from := len(all)-i, 0
		if n > 1 {
			from = want[n-2]
		}
		if m.Number != n || m.Version != want[n-1] || m.From != from || m.Who != "child" || m.Rollback != (n > 3) {
			t.Errorf("%s: move %d is %+v", what, n, m)
		}
	}
	if len(all) == 0 {
		return
	}
	named, err := r.Release(t.Context(), "toy", "")
	if err != nil || named.Version != all[0].Version {
		t.Fatalf("%s: the alias names %+v, %v", what, named, err)
	}
	if err := s.FetchTree(t.Context(), named.Files, t.TempDir()); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	for _, f := range named.Files {
		if got, _, err := s.Digest(t.Context(), models.FileKey("toy", named.Version, f.Path)); err != nil || got != f.Digest {
			t.Errorf("%s: the copy of %s is %s, %v", what, f.Path, got, err)
		}
	}
}

// TestKillMoves kills a child before and after each operation of publishes, promotions
// and rollbacks: no alias ever names half a release, its history is whole at once, and the
// next run does what is left.
func TestKillMoves(t *testing.T) {
	counting := faults.New(nil)
	if err := moves(t.Context(), t.TempDir(), counting); err != nil {
		t.Fatal(err)
	}
	ops := counting.Ops()
	if len(ops) < 30 {
		t.Fatalf("%d operations", len(ops))
	}
	for n := 1; n <= len(ops); n++ {
		for _, mode := range []faults.Mode{faults.KillBefore, faults.KillAfter} {
			if testing.Short() && n%5 != 0 {
				continue
			}
			what, dir := fmt.Sprintf("%s@%d (%s %s)", mode, n, ops[n-1].Op, ops[n-1].Key), t.TempDir()
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), movesEnv+"=1", dirEnv+"="+dir, fmt.Sprintf("%s=%s@%d", planEnv, mode, n))
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState == nil || cmd.ProcessState.Exited() && (mode == faults.KillBefore || err != nil) {
				t.Errorf("%s: the child was not killed: %v %s", what, err, out)
			}
			done := 0
			for _, op := range ops[:n-1] {
				if strings.Contains(op.Key, "/aliases/") && (op.Op == "swap" || op.Op == "create") {
					done++
				}
			}
			wholeHistory(t, what, dir, done)
			if err := moves(t.Context(), dir, faults.New(nil)); err != nil {
				t.Errorf("%s: the next run: %v", what, err)
			}
			wholeHistory(t, what+", run again", dir, 5)
		}
	}
}

// TestMovesFail makes each operation of moves fail in each way and runs again.
func TestMovesFail(t *testing.T) {
	counting := faults.New(nil)
	if err := moves(t.Context(), t.TempDir(), counting); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []faults.Mode{faults.ErrorBefore, faults.ErrorAfter, faults.LostReply, faults.Busy} {
		for n := range len(counting.Ops()) {
			what, dir := fmt.Sprintf("%s@%d", mode, n+1), t.TempDir()
			if err := moves(t.Context(), dir, faults.New(faults.At(n+1, mode))); err != nil && (mode == faults.LostReply || mode == faults.Busy) {
				t.Errorf("%s: %v: one lost try must not be seen", what, err)
			}
			if err := moves(t.Context(), dir, faults.New(nil)); err != nil {
				t.Errorf("%s: the next run: %v", what, err)
			}
			wholeHistory(t, what, dir, 5)
		}
	}
}
