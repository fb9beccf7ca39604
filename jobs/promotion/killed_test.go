package promotion_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/promotion"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/storagetest/faults"
)

// champions is what the champion of toy names, move by move, when day has done all.
var champions = []int{1, 2, 3, 2, 1}

// day publishes three releases, promotes each, and rolls back twice, each after the target
// was read whole. It goes on where an earlier one stopped.
func day(ctx context.Context, s *storage.Store) error {
	for n, version := range champions {
		if n == version-1 {
			if err := publish(ctx, s, version); err != nil {
				return err
			}
		}
		last, err := models.In(s).LastMove(ctx, "toy", models.Champion)
		if err != nil {
			return err
		}
		if last.Number > n {
			continue
		}
		move, q := promotion.Promote, asks(fmt.Sprint(version), fmt.Sprint("move ", n+1))
		if n > 2 {
			move, q.Version = promotion.Rollback, ""
		}
		q.Try = func(ctx context.Context, r models.Release) (err error) {
			for _, f := range r.Files {
				if _, err = s.Verify(ctx, f.Digest, f.Size); err != nil {
					break
				}
			}
			return err
		}
		if _, err := move(ctx, s, q); err != nil {
			return err
		}
	}
	return nil
}

// whole demands that the champion is a release of which each byte can be read, and that the
// history is the first moves of champions, of which at least least were done.
func whole(t *testing.T, what string, s *storage.Store, least int) {
	t.Helper()
	all, err := models.In(s).History(t.Context(), "toy", models.Champion, 0)
	if err != nil && least > 0 || len(all) < least || len(all) > len(champions) {
		t.Fatalf("%s: %d moves, at least %d were done: %v", what, len(all), least, err)
	}
	if len(all) == 0 {
		return
	}
	done := slices.Clone(champions[:len(all)])
	slices.Reverse(done)
	for _, m := range moved(t, s, models.Champion, done...) {
		if m.Why != fmt.Sprint("move ", m.Number) || m.Who != "ann@desk" || m.Run != fmt.Sprint("run-", m.To) || m.Rollback != (m.Number > 3) {
			t.Errorf("%s: %+v", what, m)
		}
	}
	named, err := models.In(s).Release(t.Context(), "toy", models.Champion)
	if err == nil {
		err = s.FetchTree(t.Context(), named.Files, t.TempDir())
	}
	if err != nil || named.Version != done[0] {
		t.Errorf("%s: the champion is %d: %v", what, named.Version, err)
	}
}

// TestKilledAtEveryOperation: whoever publishes, promotes and rolls back may die before each
// operation of the store, and may lose the reply of each: the champion is whole, so is its
// history, and the next one goes on.
func TestKilledAtEveryOperation(t *testing.T) {
	open := func(plan faults.Plan) (*storage.Store, *faults.Injector) {
		t.Helper()
		injector := faults.New(plan)
		s, err := storage.Open(t.Context(), "mem://", &storage.Options{Backoff: time.Nanosecond, Around: injector.Around})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s, injector
	}
	s, injector := open(nil)
	if err := day(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	ops := injector.Ops()
	if len(ops) < 60 {
		t.Fatalf("%d operations", len(ops))
	}
	done := 0 // moves
	for n, op := range ops {
		what := fmt.Sprintf("dead before %d (%s %s)", n+1, op.Op, op.Key)
		dead := true
		s, _ := open(func(i int) faults.Mode {
			if dead && i > n {
				return faults.Busy
			}
			return faults.None
		})
		if err := day(t.Context(), s); err == nil {
			t.Errorf("%s: it ends well", what)
		}
		dead = false
		whole(t, what, s, done)
		if err := day(t.Context(), s); err != nil {
			t.Errorf("%s: the next one: %v", what, err)
		}
		whole(t, what+", done again", s, len(champions))
		if op.Key == "models/toy/aliases/champion" && (op.Op == "swap" || op.Op == "create") {
			done++
		}
		for _, mode := range []faults.Mode{faults.LostReply, faults.Busy} {
			s, _ := open(faults.At(n+1, mode))
			if err := day(t.Context(), s); err != nil {
				t.Errorf("%s at %s: %v: one lost try must not be seen", mode, what, err)
			}
			whole(t, fmt.Sprint(mode, " at ", n+1), s, len(champions))
		}
	}
	if done != len(champions) {
		t.Errorf("%d operations move the alias, want %d", done, len(champions))
	}
}
