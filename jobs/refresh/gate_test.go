package refresh_test

import (
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/refresh"
	"github.com/sprint-ml/sprint/stages"
)

// TestWithoutChampion: where the alias champion and its history are gone, or never were, a
// challenger is compared with the release before it. One that is worse is refused, and the
// next refresh ends until somebody says which one it shall be.
func TestWithoutChampion(t *testing.T) {
	for least, decision := range map[string]string{"-1": refresh.Promoted, "0.9": refresh.NotPromoted} {
		p := began(t, map[string]string{"plan.yaml": strings.Replace(worldPlan, "max_age: 0", "max_age: 0, min_change: "+least, 1)})
		if _, err := (&toyRuns{store: p.store, rows: far(), now: month(2)}).Run(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		for _, prefix := range []string{"models/world/aliases/champion", "models/world/history/champion/"} {
			for info, err := range p.store.List(t.Context(), prefix) {
				if err == nil {
					err = p.store.Sweep(t.Context(), info.Key)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		want := map[string]stages.Code{refresh.Promoted: stages.CodeDone, refresh.NotPromoted: stages.CodePublish}[decision]
		out := p.ends(t, &toyRuns{}, month(2), decision, want, "compared with world@1, the release before it", "macro-F1 on gold changed by")
		var b strings.Builder
		if err := out.Markdown(&b); err != nil || !strings.Contains(b.String(), "## world@2 against world@1 on ") || out.Champion != nil || out.Predecessor.Ref != "world@1" {
			t.Errorf("%+v, %v: %s", out, err, b.String())
		}
		if decision == refresh.Promoted {
			if p.champion(t) != 2 {
				t.Errorf("the champion is %d", p.champion(t))
			}
			continue
		}
		if p.champion(t) != 0 || !strings.Contains(out.Hint, "`sprint promote world@1`") || !strings.Contains(out.Hint, "`sprint promote world@2`") {
			t.Errorf("the champion is %d, the hint %q", p.champion(t), out.Hint)
		}
		if out, err := p.refresh(t.Context(), &toyRuns{rows: far()}, month(3)); executor.Code(err) != stages.CodeIntegrity {
			t.Errorf("again: %v, %+v", err, out)
		}
	}
}
