package promotion_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/promotion"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// memory is a store with so many releases of toy, of one small file each.
func memory(t *testing.T, versions int) *storage.Store {
	t.Helper()
	s, err := storage.Open(t.Context(), "mem://", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for v := 1; v <= versions; v++ {
		if err := publish(t.Context(), s, v); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// publish makes a version of toy, which run-N published.
func publish(ctx context.Context, s *storage.Store, version int) error {
	a, err := s.Put(ctx, strings.NewReader(fmt.Sprint("weights ", version)), "")
	if err != nil {
		return err
	}
	tree, err := s.PutTree(ctx, []storage.TreeEntry{{Path: "model", Digest: a.Digest, Size: a.Size}})
	if err != nil {
		return err
	}
	r, err := models.In(s).Publish(ctx, "toy", tree, fmt.Appendf(nil, `{"run":"run-%d"}`, version))
	if err == nil && r.Version != version {
		err = fmt.Errorf("version %d was published as %d", version, r.Version)
	}
	return err
}

// asks is a request about the champion of toy.
func asks(version, why string) promotion.Request {
	return promotion.Request{Name: "toy", Alias: models.Champion, Version: version, Who: "ann@desk", Why: why}
}

// moved demands of an alias the versions that it named, the newest first.
func moved(t *testing.T, s *storage.Store, alias string, versions ...int) []promotion.Record {
	t.Helper()
	all, err := promotion.Recorded(t.Context(), s, "toy", alias, 0)
	if len(versions) == 0 && errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil || len(all) != len(versions) {
		t.Fatalf("%d moves, want %v: %v", len(all), versions, err)
	}
	for i, m := range all {
		from := 0
		if m.From != nil {
			from = *m.From
		}
		before := 0
		if i+1 < len(versions) {
			before = versions[i+1]
		}
		if m.To != versions[i] || m.Number != len(all)-i || from != before || m.Alias != alias || m.Model != "toy" || m.When.IsZero() {
			t.Errorf("move %d of %d is %+v, want %v", i+1, len(all), m, versions)
		}
	}
	return all
}

// TestPromote: an alias moves to a version or to what another alias names, and its history
// keeps who, why and which run.
func TestPromote(t *testing.T) {
	s := memory(t, 3)
	if err := models.In(s).SetAlias(t.Context(), "toy", "latest", 3); err != nil {
		t.Fatal(err)
	}
	first, err := promotion.Promote(t.Context(), s, asks("1", "+0.03 on gold"))
	if err != nil || first.Version != 1 || first.From != 0 || first.Already {
		t.Fatalf("%+v, %v", first, err)
	}
	second, err := promotion.Promote(t.Context(), s, asks("latest", ""))
	if err != nil || second.Version != 3 || second.From != 1 || second.Already {
		t.Fatalf("%+v, %v", second, err)
	}
	again, err := promotion.Promote(t.Context(), s, asks("3", "once more"))
	if err != nil || !again.Already || again.Version != 3 || again.Why != "" {
		t.Errorf("a move to where it is: %+v, %v", again, err)
	}
	all := moved(t, s, models.Champion, 3, 1)
	if all[1].Why != "+0.03 on gold" || all[1].Who != "ann@desk" || all[1].Run != "run-1" || all[0].Run != "run-3" || all[0].Rollback {
		t.Errorf("the history says %+v", all)
	}
	if one, err := promotion.Recorded(t.Context(), s, "toy", "", 1); err != nil || len(one) != 1 || one[0].To != 3 {
		t.Errorf("the last move of all aliases: %+v, %v", one, err)
	}
}

// TestRefusals: what cannot be is refused with what there is, and no alias moves.
func TestRefusals(t *testing.T) {
	s := memory(t, 2)
	if _, err := promotion.Promote(t.Context(), s, asks("1", "")); err != nil {
		t.Fatal(err)
	}
	from := func(version, from string) promotion.Request {
		q := asks(version, "")
		q.From = from
		return q
	}
	named := func(name, alias string) promotion.Request {
		q := asks("2", "")
		q.Name, q.Alias = name, alias
		return q
	}
	for what, c := range map[string]struct {
		q    promotion.Request
		code stages.Code
		says string
	}{
		"unknown version": {asks("7", ""), stages.CodeEnvironment, "no model toy@7|there are: version 2, 1 (champion)"},
		"unknown alias":   {asks("beta", ""), stages.CodeEnvironment, "toy@beta|there are: version 2, 1 (champion)"},
		"no number":       {asks("-1", ""), stages.CodeEnvironment, "toy@-1|there are: version 2"},
		"no version":      {asks("", ""), stages.CodeUsage, "which version of toy?|there are: version 2"},
		"unknown model":   {named("tay", "champion"), stages.CodeEnvironment, "tay@2|did you mean toy?"},
		"no model":        {named("../toy", "champion"), stages.CodeEnvironment, "no model \"../toy\"|there are: toy"},
		"no name":         {named("", "champion"), stages.CodeUsage, "which model?|there are: toy"},
		"no alias":        {named("toy", "7"), stages.CodeUsage, "is no alias"},
		"two lines":       {asks("2", "a\nb"), stages.CodeUsage, "--why"},
		"another from":    {from("2", "2"), stages.CodePublish, "does not name what --from demands (2): it names version 1|models history toy"},
		"from none":       {from("2", "none"), stages.CodePublish, "does not name what --from demands (none)"},
		"unknown from":    {from("2", "9"), stages.CodeEnvironment, "--from 9: toy has no version or alias 9, so its alias champion cannot name it|there are: version 2, 1 (champion)"},
		"from no number":  {from("2", "-1"), stages.CodeEnvironment, "--from -1: toy has no version or alias -1|there are: version 2"},
	} {
		_, err := promotion.Promote(t.Context(), s, c.q)
		if code := executor.Code(err); code != c.code {
			t.Errorf("%s: code %d, want %d: %v", what, code, c.code, err)
		}
		text := fmt.Sprint(err, " ", executor.Hint(err))
		for part := range strings.SplitSeq(c.says, "|") {
			if !strings.Contains(text, part) {
				t.Errorf("%s: %q lacks %q", what, text, part)
			}
		}
	}
	moved(t, s, models.Champion, 1)
	if _, err := promotion.Promote(t.Context(), s, from("2", "1")); err != nil {
		t.Errorf("from what it names: %v", err)
	}
}

// TestRollbackFurther: a second rollback goes further back, --to anywhere, and where there is
// nothing before, it says so.
func TestRollbackFurther(t *testing.T) {
	s := memory(t, 3)
	if _, err := promotion.Rollback(t.Context(), s, asks("", "")); err == nil || !strings.Contains(err.Error(), "has no alias champion") {
		t.Errorf("without an alias: %v", err)
	}
	for v := 1; v <= 3; v++ {
		if _, err := promotion.Promote(t.Context(), s, asks(fmt.Sprint(v), "")); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []int{2, 1} {
		if m, err := promotion.Rollback(t.Context(), s, asks("", "misses storms")); err != nil || m.Version != want || !m.Rollback {
			t.Fatalf("%+v, %v, want %d", m, err, want)
		}
	}
	if _, err := promotion.Rollback(t.Context(), s, asks("", "")); executor.Code(err) != stages.CodeEnvironment || !strings.Contains(err.Error(), "named no version before 1") || !strings.Contains(executor.Hint(err), "version 3, 2, 1 (champion)") {
		t.Errorf("at the first version: %v", err)
	}
	if m, err := promotion.Rollback(t.Context(), s, asks("3", "")); err != nil || m.Version != 3 {
		t.Errorf("--to 3: %+v, %v", m, err)
	}
	if all := moved(t, s, models.Champion, 3, 1, 2, 3, 2, 1); !all[2].Rollback || all[2].Why != "misses storms" || all[3].Rollback {
		t.Errorf("the history says %+v", all)
	}
}

// TestRollbackPassesOver: a version that was rolled back from is not gone back to, even where
// the alias named it twice; one that was promoted again since is.
func TestRollbackPassesOver(t *testing.T) {
	for name, c := range map[string]struct {
		promoted []string
		want     int // of the second rollback
	}{"named twice": {[]string{"1", "2", "3", "2", "3"}, 1}, "promoted again": {[]string{"1", "2", "back", "2", "3"}, 1}, "none is left": {[]string{"2", "1", "2"}, 0}} {
		s := memory(t, 3)
		for _, v := range append(c.promoted, "back") {
			var err error
			if v == "back" {
				_, err = promotion.Rollback(t.Context(), s, asks("", "misses storms"))
			} else {
				_, err = promotion.Promote(t.Context(), s, asks(v, ""))
			}
			if err != nil {
				t.Fatal(name, err)
			}
		}
		m, err := promotion.Rollback(t.Context(), s, asks("", ""))
		if c.want == 0 && err == nil || c.want != 0 && (err != nil || m.Version != c.want) {
			t.Errorf("%s: %+v, %v, want %d", name, m, err, c.want)
		}
	}
}

// TestTryDecides: an alias stays where it is if the target does not pass.
func TestTryDecides(t *testing.T) {
	s := memory(t, 2)
	if _, err := promotion.Promote(t.Context(), s, asks("1", "")); err != nil {
		t.Fatal(err)
	}
	q, tried := asks("2", ""), 0
	q.Try = func(_ context.Context, r models.Release) error {
		if tried++; r.Version != 2 {
			t.Errorf("version %d is tried", r.Version)
		}
		return errors.New("it answers wrongly")
	}
	if _, err := promotion.Promote(t.Context(), s, q); err == nil || tried != 1 {
		t.Errorf("tried %d times: %v", tried, err)
	}
	moved(t, s, models.Champion, 1)
}

// TestRace: of two moves that saw the same champion one is done; the other is refused with
// who was first, and the history has no more than what was done.
func TestRace(t *testing.T) {
	for round := range 40 {
		s := memory(t, 3)
		for _, v := range []string{"1", "2"} {
			if _, err := promotion.Promote(t.Context(), s, asks(v, "")); err != nil {
				t.Fatal(err)
			}
		}
		var both sync.WaitGroup // have seen the champion
		both.Add(2)
		meet := func(context.Context, models.Release) error {
			both.Done()
			both.Wait()
			return nil
		}
		moves := []func(context.Context, *storage.Store, promotion.Request) (promotion.Moved, error){promotion.Promote, promotion.Rollback}
		var got [2]promotion.Moved
		var errs [2]error
		done := make(chan struct{})
		for i := range 2 {
			go func() {
				defer func() { done <- struct{}{} }()
				q := asks([]string{"3", "1"}[i], fmt.Sprint("move ", i))
				q.Who, q.Try = fmt.Sprintf("mover-%d", i), meet
				got[i], errs[i] = moves[(i*round)%2](t.Context(), s, q)
			}()
		}
		<-done
		<-done
		won := 0
		if errs[0] != nil {
			won = 1
		}
		lost := errs[1-won]
		var f *stages.Failure
		if errs[won] != nil || !errors.As(lost, &f) || f.Code != stages.CodePublish || !strings.Contains(lost.Error(), fmt.Sprintf("by mover-%d: move %d", won, won)) {
			t.Fatalf("round %d: %v and %v", round, errs[0], errs[1])
		}
		moved(t, s, models.Champion, got[won].Version, 2, 1)
	}
}
