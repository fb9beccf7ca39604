package refresh_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/refresh"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// began is a place whose champion is trained on a window that has not drifted.
func began(t *testing.T, change map[string]string) place {
	t.Helper()
	p := open(t, change)
	out, err := p.refresh(t.Context(), &toyRuns{rows: world{}.window(1, 600)}, month(1))
	if err != nil || out.Decision != refresh.Promoted {
		t.Fatalf("%v, %+v", err, out)
	}
	return p
}

// far is a window that surely drifted, but whose words are those of before.
func far() []rows.Row { return world{drift: 1}.window(5, 600) }

// champion is the version that the alias names.
func (p place) champion(t *testing.T) int {
	t.Helper()
	v, err := models.In(p.store).AliasVersion(t.Context(), "world", models.Champion)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// ends refreshes and compares how that ended.
func (p place) ends(t *testing.T, by *toyRuns, at time.Time, decision string, code stages.Code, why ...string) *refresh.Result {
	t.Helper()
	out, err := p.refresh(t.Context(), by, at)
	if err != nil {
		t.Fatal(err)
	}
	said := out.Why + "\n" + strings.Join(out.Notes, "\n")
	if out.Decision != decision || out.Code != code || out.Class != code.Class() {
		t.Errorf("%s (%d), want %s (%d): %s", out.Decision, out.Code, decision, code, said)
	}
	for _, want := range why {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in %s", want, said)
		}
	}
	var b strings.Builder
	if err := out.Markdown(&b); err != nil || !strings.Contains(b.String(), out.Decision) {
		t.Errorf("the report (%v): %s", err, b.String())
	}
	return out
}

// TestWindowWithoutRows: nothing is trained, and the champion stays.
func TestWindowWithoutRows(t *testing.T) {
	p := began(t, nil)
	p.ends(t, &toyRuns{source: stages.CodeSource}, month(2), refresh.NoRows, stages.CodeSource, "the new window has too few rows, so the champion stays", "min_rows")
	p.ends(t, &toyRuns{}, month(2), refresh.NoRows, stages.CodeSource, "the new window has no rows")
	if p.champion(t) != 1 {
		t.Error("the champion moved")
	}
}

// TestFailedRun: what verify does not pass is no challenger, and the code of a refusal is not
// that of a run which failed.
func TestFailedRun(t *testing.T) {
	p := began(t, nil)
	p.ends(t, &toyRuns{rows: far(), failure: stages.CodeGate}, month(2), refresh.Failed, stages.CodeGate, "code 5", "macro_f1 on gold is 0.05")
	p.ends(t, &toyRuns{rows: far(), failure: stages.CodePublish}, month(2), refresh.Failed, stages.CodeStage, "code 10")
	if p.champion(t) != 1 {
		t.Error("the champion moved")
	}
}

// TestRefusedOnce: a challenger that is worse is refused with code 10, its alias says why,
// and no later refresh decides on it again.
func TestRefusedOnce(t *testing.T) {
	p := began(t, map[string]string{"plan.yaml": strings.Replace(worldPlan, "max_age: 0", "max_age: 0, min_change: 0.5", 1)})
	out := p.ends(t, &toyRuns{rows: far()}, month(2), refresh.NotPromoted, stages.CodePublish, "world@1 stays the champion: macro-F1 on gold changed by", "+0.500 is the least")
	if !strings.HasPrefix(out.Hint, "`sprint promote world@2` ") {
		t.Errorf("the hint is %q", out.Hint)
	}
	move, err := models.In(p.store).LastMove(t.Context(), "world", refresh.Refused)
	if err != nil || move.Version != 2 || !strings.Contains(out.Why, strings.TrimPrefix(move.Why, "refresh: ")) || move.Run == "" {
		t.Errorf("%+v, %v", move, err)
	}
	p.ends(t, &toyRuns{rows: far()}, month(3), refresh.NotDue, stages.CodeDone, "what the window trains is world@2, on which ann decided before: refresh: macro-F1 on gold changed by")
	if again, err := models.In(p.store).LastMove(t.Context(), "world", refresh.Refused); err != nil || again.Number != move.Number {
		t.Errorf("it was refused again: %+v, %v", again, err)
	}
	p.ends(t, &toyRuns{rows: world{}.window(1, 600)}, month(3), refresh.NotDue, stages.CodeDone, "not due: nothing surely drifted")
}

// TestLeftUndecided: a release that a killed refresh published is decided on before any
// other is trained, without a run.
func TestLeftUndecided(t *testing.T) {
	p := began(t, map[string]string{"plan.yaml": strings.Replace(worldPlan, "max_age: 0", "max_age: 0, min_change: -1", 1)})
	if _, err := (&toyRuns{store: p.store, rows: far(), now: month(2)}).Run(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	out := p.ends(t, &toyRuns{source: stages.CodeSource}, month(2), refresh.Promoted, stages.CodeDone, "world@2 was published and nobody decided on it", "world@2 is the champion now")
	if p.champion(t) != 2 || out.Window != nil || out.Gold == nil {
		t.Errorf("%+v", out)
	}
}

// TestCooldown: what is due waits for the cooldown after the last training.
func TestCooldown(t *testing.T) {
	p := began(t, map[string]string{"plan.yaml": strings.Replace(worldPlan, "cooldown: 0", "cooldown: 40d", 1)})
	p.ends(t, &toyRuns{rows: far()}, month(2), refresh.NotDue, stages.CodeDone, "not due yet: run ", "trained 31d ago, and 40d must pass between two trainings")
	if out := p.ends(t, &toyRuns{rows: far(), failure: stages.CodeGate}, month(3), refresh.Failed, stages.CodeGate); out.Trained == "" {
		t.Errorf("%+v", out)
	}
}

// TestCorrections: what reviewers say since the champion measures both models, but for rows
// that trained one; against the gold set it counts for nothing, and is told.
func TestCorrections(t *testing.T) {
	p := began(t, nil)
	gold := world{}.window(1000, 400)
	window := far()
	other := world{drift: 1}.window(6, 80)
	var since []rows.Row
	against := slices.Clone(gold[:3])
	for i := range against {
		against[i].Labels = []rows.Label{{Score: 1}, {Score: 1}, {Score: 1}}
	}
	since = append(since, against...)
	since = append(since, window[:2]...) // they train
	since = append(since, other...)
	text := csvOf(since, month(2))
	if _, err := newPlace(p.dir, p.store, map[string]string{"corrections.csv": text}); err != nil {
		t.Fatal(err)
	}
	out, err := p.refresh(t.Context(), &toyRuns{rows: window}, month(2).Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	c := out.Corrections
	if c == nil || c.Since != 85 || c.Gold < 3 || c.Against != 3 || c.Trained < 2 || c.Measured != 85-c.Gold-c.Trained || out.OnCorrections == nil || out.OnCorrections.Rows > c.Measured {
		t.Fatalf("%v", c)
	}
	if !strings.Contains(strings.Join(out.Notes, "\n"), "3 corrections contradict the gold set: the gold set counts") {
		t.Errorf("%q", out.Notes)
	}
	// Corrections of before the champion are none since.
	if _, err := newPlace(p.dir, p.store, map[string]string{"corrections.csv": csvOf(other, month(1).Add(-time.Hour))}); err != nil {
		t.Fatal(err)
	}
	out, err = p.refresh(t.Context(), &toyRuns{rows: world{drift: 1}.window(8, 600)}, month(3))
	if err != nil || out.Corrections != nil && out.Corrections.Since != 0 {
		t.Errorf("%v, %v", out.Corrections, err)
	}
}

// TestCorrectionsRefuse: a challenger that is good on gold and wrong where reviewers
// corrected the champion is refused.
func TestCorrectionsRefuse(t *testing.T) {
	p := began(t, map[string]string{"plan.yaml": strings.Replace(worldPlan, "max_age: 0", "max_age: 0, min_change: -1, min_change_corrections: 0.9", 1)})
	if _, err := newPlace(p.dir, p.store, map[string]string{"plan.yaml": strings.Replace(worldPlan, "max_age: 0", "max_age: 0, min_change: -1, min_change_corrections: 0.9", 1), "corrections.csv": csvOf(world{drift: 1}.window(6, 80), month(2))}); err != nil {
		t.Fatal(err)
	}
	p.ends(t, &toyRuns{rows: far()}, month(2).Add(time.Hour), refresh.NotPromoted, stages.CodePublish, "micro-F1 on corrections changed by", "+0.900 is the least")
}

// TestOneAtATime: a second refresh of a model ends with the code of a lease.
func TestOneAtATime(t *testing.T) {
	p := began(t, nil)
	lease, err := p.store.Acquire(t.Context(), "refresh/world", storage.Self(), 300*time.Millisecond, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.refresh(t.Context(), &toyRuns{rows: far()}, month(2))
	if executor.Code(err) != stages.CodeLease || !strings.Contains(err.Error(), "another refresh of world goes on") {
		t.Errorf("%v", err)
	}
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err = p.refresh(t.Context(), &toyRuns{rows: far()}, month(2)); err != nil {
		t.Error(err)
	}
}

// TestUnfit: a plan that no refresh can decide by is refused with what to change.
func TestUnfit(t *testing.T) {
	for want, change := range map[string][2]string{
		"it publishes no model":                           {"  - name: publish\n    with: {name: world}\n", ""},
		"publish moves the alias champion by itself":      {"{name: world}", "{name: world, alias: champion}"},
		"publish moves the alias champion by itself, bef": {"  - name: publish\n    with: {name: world}\n", "  - name: early\n    kind: publish\n    with: {name: world, alias: champion}\n  - name: publish\n    with: {name: world}\n"},
		"it has no gold set":                              {"gold: gold.csv, checks: [{id: macro_f1, set: gold, min: 0.1}]", "checks: [{id: macro_f1, min: 0.1}]"},
	} {
		p := open(t, map[string]string{"plan.yaml": strings.Replace(worldPlan, change[0], change[1], 1)})
		_, err := p.refresh(t.Context(), &toyRuns{rows: far()}, month(1))
		var failure *stages.Failure
		if executor.Code(err) != stages.CodePlan || !errors.As(err, &failure) || !strings.Contains(err.Error(), want) || executor.Hint(err) == "" {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestLostChampion: an alias that is damaged, or that somebody deleted, is not that of a model
// without a champion, whose challenger nobody compares, nor is one whose release is gone.
func TestLostChampion(t *testing.T) {
	const at, record = "models/world/aliases/champion", "models/world/2/release.json"
	for what, lose := range map[string]func(context.Context, *storage.Store) error{
		"damaged":                     func(ctx context.Context, s *storage.Store) error { return s.WriteFile(ctx, at, []byte("x")) },
		"deleted":                     func(ctx context.Context, s *storage.Store) error { return s.Sweep(ctx, at) },
		"release damaged":             func(ctx context.Context, s *storage.Store) error { return s.WriteFile(ctx, record, []byte("x")) },
		"release deleted":             func(ctx context.Context, s *storage.Store) error { return s.Sweep(ctx, record) },
		"deleted after its only move": func(ctx context.Context, s *storage.Store) error { return s.Sweep(ctx, at) },
		"deleted with its past, after a refusal": func(ctx context.Context, s *storage.Store) error {
			_, err := models.In(s).MoveAlias(ctx, "world", refresh.Refused, 2, models.Move{}, models.Reason{})
			for n := 1; n <= 2 && err == nil; n++ {
				err = s.Sweep(ctx, models.MoveKey("world", models.Champion, n))
			}
			return errors.Join(err, s.Sweep(ctx, at))
		},
	} {
		p := began(t, map[string]string{"plan.yaml": strings.Replace(worldPlan, "max_age: 0", "max_age: 0, min_change: -1", 1)})
		if !strings.Contains(what, "only") {
			p.ends(t, &toyRuns{rows: far()}, month(2), refresh.Promoted, stages.CodeDone)
		}
		if err := lose(t.Context(), p.store); err != nil {
			t.Fatal(err)
		}
		out, err := p.refresh(t.Context(), &toyRuns{rows: world{drift: 1}.window(9, 100)}, month(3))
		if executor.Code(err) != stages.CodeIntegrity || !strings.Contains(executor.Hint(err), "sprint promote world@VERSION") || out.Decision != "" || p.champion(t) != 0 && !strings.HasPrefix(what, "release") {
			t.Errorf("%s: %v, %+v", what, err, out)
		}
	}
}

// TestLostRecord: a challenger whose publisher left no record is measured on no row that
// trained it: the run that found it made says which.
func TestLostRecord(t *testing.T) {
	p := began(t, nil)
	text := csvOf(slices.Concat(far()[:5], world{drift: 1}.window(6, 80)), month(2))
	if _, err := newPlace(p.dir, p.store, map[string]string{"corrections.csv": text}); err != nil {
		t.Fatal(err)
	}
	by := &toyRuns{rows: far()}
	by.ended = func(run string) {
		if err := p.store.Sweep(t.Context(), "runs/"+run+"/result.json"); err != nil {
			t.Error(err)
		}
	}
	out, err := p.refresh(t.Context(), by, month(2).Add(time.Hour))
	if err != nil || out.Challenger == nil || out.Corrections == nil || out.Corrections.Trained < 3 || !strings.Contains(strings.Join(out.Notes, "\n"), "is gone") {
		t.Errorf("%v, %+v, %v", err, out, out.Corrections)
	}
}

// TestDamagedCalibration: what the challenger was calibrated on is read to its end, which
// says that the bytes are others.
func TestDamagedCalibration(t *testing.T) {
	p := began(t, nil)
	a, err := p.store.Put(t.Context(), strings.NewReader(`{"gold": []}`), "")
	if err != nil {
		t.Fatal(err)
	}
	key, err := storage.BlobKey(a.Digest)
	if err == nil {
		err = p.store.WriteFile(t.Context(), key, []byte(`{"gold":[] }`))
	}
	if err != nil {
		t.Fatal(err)
	}
	by := &toyRuns{rows: far(), trained: map[string]runs.OutputResult{"calibration": {Digest: a.Digest, Size: a.Size}}}
	if out, err := p.refresh(t.Context(), by, month(2)); executor.Code(err) != stages.CodeIntegrity {
		t.Errorf("%v, %+v", err, out)
	}
}

// TestMovedByHand: an alias that somebody moves meanwhile stays as they moved it.
func TestMovedByHand(t *testing.T) {
	p := began(t, map[string]string{"plan.yaml": strings.Replace(worldPlan, "max_age: 0", "max_age: 0, min_change: -1", 1)})
	by := &toyRuns{rows: far()}
	by.published = func() {
		if _, err := (&toyRuns{store: p.store, rows: world{}.window(rand.Uint64(), 300), now: month(2)}).Run(t.Context(), ""); err != nil {
			t.Error(err)
		}
		if err := models.In(p.store).SetAlias(t.Context(), "world", models.Champion, 3); err != nil {
			t.Error(err)
		}
	}
	_, err := p.refresh(t.Context(), by, month(2))
	if executor.Code(err) != stages.CodePublish || p.champion(t) != 3 {
		t.Errorf("champion %d, %v", p.champion(t), err)
	}
}

// TestTried: the alias stays where the new champion cannot answer, or is none to trust.
func TestTried(t *testing.T) {
	p := open(t, nil)
	p.try = func(_ context.Context, r models.Release) error {
		return fmt.Errorf("%s@%d does not answer", r.Name, r.Version)
	}
	out, err := p.refresh(t.Context(), &toyRuns{rows: far()}, month(1))
	if err == nil || !strings.Contains(err.Error(), "world@1 does not answer") || out.Decision != "" || p.champion(t) != 0 {
		t.Errorf("%v, %+v", err, out)
	}
}

// TestCorrectionsAgainstGold: what contradicts the gold set is told whenever it was said, since
// corrections train at every refresh.
func TestCorrectionsAgainstGold(t *testing.T) {
	p := began(t, map[string]string{"plan.yaml": strings.Replace(worldPlan, "max_age: 0", "max_age: 0, min_change: -1", 1)})
	against := world{}.window(1000, 400)[:3]
	for i := range against {
		against[i].Labels = []rows.Label{{Score: 1}, {Score: 1}, {Score: 1}}
	}
	if err := os.WriteFile(filepath.Join(p.dir, "corrections.csv"), []byte(csvOf(against, month(1).Add(-time.Hour))), 0o600); err != nil {
		t.Fatal(err)
	}
	out := p.ends(t, &toyRuns{rows: far()}, month(2), refresh.Promoted, stages.CodeDone, "3 corrections contradict the gold set: the gold set counts")
	if c := out.Corrections; c == nil || c.Since != 0 || c.Gold != 0 || c.Against != 3 {
		t.Errorf("%+v", c)
	}
}

// TestClock: a champion and a training of days to come, by a clock that is wrong, put off no
// training until then, and are told.
func TestClock(t *testing.T) {
	p := began(t, map[string]string{"plan.yaml": strings.Replace(worldPlan, "max_age: 0, cooldown: 0", "max_age: 30d, cooldown: 40d, min_change: -1", 1)})
	early := month(1).Add(-60 * 24 * time.Hour)
	p.ends(t, &toyRuns{rows: far()}, early, refresh.Promoted, stages.CodeDone,
		"the champion is dated "+month(1).UTC().Format(time.RFC3339), "which trained last, is dated ", "its age is not known; check the clocks", "world@2 is the champion now")
}

// TestJoinedIsNoDrift: corrected rows of other windows, which trained the champion too, are no
// drift of a window that is like its own.
func TestJoinedIsNoDrift(t *testing.T) {
	p := open(t, nil)
	p.ends(t, &toyRuns{rows: world{}.window(1, 600), joined: far()}, month(1), refresh.Promoted, stages.CodeDone)
	p.ends(t, &toyRuns{rows: world{}.window(2, 600)}, month(2), refresh.NotDue, stages.CodeDone, "nothing surely drifted")
}
