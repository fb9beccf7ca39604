package storagetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// versions publishes n releases of the model news.
func versions(t *testing.T, s *storage.Store, n int) models.Registry {
	t.Helper()
	for i := range n {
		_, err := models.In(s).Publish(testContext(t), "news", tree(t, s, fmt.Sprint("release ", i)), nil)
		check(t, err)
	}
	return models.In(s)
}

// told lists a history, oldest first, as FROM>TO, with the numbers of those that do not
// follow the one before.
func told(t *testing.T, r models.Registry, alias string) string {
	t.Helper()
	all, err := r.History(testContext(t), "news", alias, 0)
	check(t, err)
	text, number := "", 0
	for i := len(all) - 1; i >= 0; i-- {
		if number++; all[i].Number != number {
			number = all[i].Number
			text += fmt.Sprintf("#%d ", number)
		}
		text += fmt.Sprintf("%d>%d ", all[i].From, all[i].Version)
	}
	return strings.TrimSpace(text)
}

// testHistory: an alias has its moves with it, whatever becomes of its own record.
func testHistory(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	r := versions(t, s, 4)
	_, err := r.History(ctx, "news", "latest", 0)
	want(t, err, storage.ErrNotFound)
	for _, v := range []int{1, 2, 2, 3} {
		seen, err := r.LastMove(ctx, "news", "latest")
		check(t, err)
		m, err := models.In(second(t, s)).MoveAlias(ctx, "news", "latest", v, seen, models.Reason{Who: "anna@host", Why: fmt.Sprint("better than ", v), Run: "r1"})
		if err != nil || m.Version != v {
			t.Fatalf("%+v, %v", m, err)
		}
	}
	if got := told(t, r, "latest"); got != "0>1 1>2 2>3" {
		t.Errorf("the history is %s", got)
	}
	last, err := r.History(ctx, "news", "latest", 2)
	if err != nil || len(last) != 2 || last[0].Version != 3 || last[1].Why != "better than 2" || last[1].Who != "anna@host" || last[1].Run != "r1" || last[1].Moved.IsZero() {
		t.Errorf("the last moves are %+v, %v", last, err)
	}
	for _, bad := range []models.Reason{{Who: strings.Repeat("a", 201)}, {Why: strings.Repeat("x", 1<<20)}, {Why: "a\nb"}, {Why: "a\x1b[2J"}, {Why: "\u202egpj"}, {Why: "\xff"}, {Run: strings.Repeat("r", 201)}} {
		if _, err := r.MoveAlias(ctx, "news", "latest", 4, last[0], bad); err == nil {
			t.Errorf("moved for the reason %.80s", fmt.Sprint(bad))
		}
	}
	// An alias that was written without a number, as SetAlias of old did, is a move too.
	check(t, s.WriteRecord(ctx, "models/news/aliases/old", []byte(`{"version":2,"moved":"2026-01-02T03:04:05Z"}`)))
	if got := told(t, r, "old"); got != "0>2" {
		t.Errorf("the history of a move without a number is %s", got)
	}
	for _, v := range []int{3, 1} {
		check(t, r.SetAlias(ctx, "news", "old", v))
	}
	if got := told(t, r, "old"); got != "0>2 2>3 3>1" {
		t.Errorf("after moves with numbers it is %s", got)
	}
	check(t, s.WriteRecord(ctx, "models/news/aliases/old", []byte(`{"version":4,"moved":"2026-01-02T03:04:06Z"}`)))
	check(t, r.SetAlias(ctx, "news", "old", 2))
	if got := told(t, r, "old"); got != "0>2 2>3 #4 0>4 4>2" {
		t.Errorf("after one more without, which took the place of one, it is %s", got)
	}
	// What cannot be read any more is a gap, and ends nothing.
	check(t, s.WriteFile(ctx, "models/news/aliases/latest", []byte("broken")))
	if _, err := r.History(ctx, "news", "latest", 0); !errors.Is(err, storage.ErrCorrupt) {
		t.Errorf("a broken alias: %v", err)
	}
	check(t, r.SetAlias(ctx, "news", "latest", 1))
	if got := told(t, r, "latest"); got != "0>1 1>2 #4 0>1" {
		t.Errorf("after a broken alias the history is %s", got)
	}
	check(t, s.WriteFile(ctx, models.MoveKey("news", "latest", 2), []byte("broken")))
	check(t, r.SetAlias(ctx, "news", "latest", 2))
	all, err := r.History(ctx, "news", "latest", 0)
	if want(t, err, storage.ErrCorrupt, "history/latest/000000002"); len(all) != 3 {
		t.Errorf("beside a broken move there are %+v", all)
	}
	// An alias that is set back to a record of before, as a backup may, loses nothing.
	old, err := s.ReadFile(ctx, "models/news/aliases/latest", 1<<20)
	check(t, err)
	check(t, r.SetAlias(ctx, "news", "latest", 3))
	check(t, r.SetAlias(ctx, "news", "latest", 4))
	check(t, s.WriteFile(ctx, "models/news/aliases/latest", old))
	check(t, r.SetAlias(ctx, "news", "latest", 1))
	check(t, r.SetAlias(ctx, "news", "latest", 3))
	if all, _ := r.History(ctx, "news", "latest", 0); len(all) != 6 || all[0].Version != 3 || all[1].Version != 1 || all[2].Version != 3 {
		t.Errorf("after a backup there are %+v", all)
	}
}

// testHistoryRace: of all who move what they have seen, one wins each time, the others
// are told who; nobody's move is lost from the history.
func testHistoryRace(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	r := versions(t, s, 3)
	check(t, r.SetAlias(ctx, "news", "champion", 1))
	handles := []models.Registry{r, models.In(second(t, s))}
	const movers, rounds = 6, 3
	won := map[string]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range movers {
		wg.Go(func() {
			for round := range rounds {
				why := fmt.Sprint("round ", round, " of ", i)
				seen, err := handles[i%2].LastMove(ctx, "news", "champion")
				if err != nil {
					t.Error(err)
					return
				}
				moved, err := handles[i%2].MoveAlias(ctx, "news", "champion", 1+seen.Version%3, seen, models.Reason{Who: fmt.Sprint("mover ", i), Why: why})
				var lost *models.MovedError
				switch {
				case errors.As(err, &lost):
					if lost.Now.Who == "" || !strings.Contains(err.Error(), lost.Now.Who) || !strings.Contains(err.Error(), fmt.Sprint("version ", lost.Now.Version)) {
						t.Errorf("the loser is told %q", err)
					}
				case err != nil:
					t.Error(err)
				case moved.Why == why:
					mu.Lock()
					won[why] = true
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	all, err := r.History(ctx, "news", "champion", 0)
	check(t, err)
	for i, m := range all {
		delete(won, m.Why)
		if m.Number != len(all)-i || i > 0 && all[i-1].From != m.Version {
			t.Errorf("move %d is %+v", len(all)-i, m)
		}
	}
	if len(won) > 0 || len(all) < 2 {
		t.Errorf("%d moves are told, and not those for %v", len(all), won)
	}
}

// testRollback: an alias goes back to what it named before, and further back the next
// time.
func testRollback(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	r := versions(t, s, 4)
	back := func(ctx context.Context) int {
		to, err := r.EarlierVersion(ctx, "news", "champion")
		check(t, err)
		if to > 0 {
			seen, err := r.LastMove(ctx, "news", "champion")
			check(t, err)
			_, err = r.MoveAlias(ctx, "news", "champion", to, seen, models.Reason{Rollback: true})
			check(t, err)
		}
		return to
	}
	_, err := r.EarlierVersion(ctx, "news", "champion")
	want(t, err, storage.ErrNotFound)
	for _, v := range []int{1, 2, 3} {
		check(t, r.SetAlias(ctx, "news", "champion", v))
	}
	var got []int
	got = append(got, back(ctx)) // 2
	check(t, r.SetAlias(ctx, "news", "champion", 4))
	for range 4 {
		got = append(got, back(ctx))
	}
	if fmt.Sprint(got) != "[2 2 1 0 0]" {
		t.Errorf("rolled back to %v", got)
	}
}
