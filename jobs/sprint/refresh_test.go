//go:build unix

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/refresh"
	"github.com/sprint-ml/sprint/jobs/runs"
)

// TestRefreshFollowsMirrors: what a refresh promotes, or refuses, its plan's mirrors show when
// it ends, with no run after it.
func TestRefreshFollowsMirrors(t *testing.T) {
	t.Parallel()
	for decision, block := range map[string]string{
		refresh.Promoted:    "{max_age: 0, rows: 1, cooldown: 0, min_change: -1}",
		refresh.NotPromoted: "{max_age: 0, rows: 1, cooldown: 0, min_change: 0.9}",
	} {
		e := refreshedFolder(t, block, "SPRINT_SET_PUBLISH__MIRROR=[{to: command://team, command: [cat]}]")
		_, said := e.refresh(t, 0)
		var out refresh.Result
		if err := json.Unmarshal([]byte(said[:strings.Index(said, "\n")]), &out); err != nil || out.Decision != decision {
			t.Fatalf("%v: %s", err, said)
		}
		champion := map[string]int{refresh.Promoted: 2, refresh.NotPromoted: 1}[decision]
		if len(out.Mirrors) != 1 || out.Mirrors[0].State != runs.MirrorCurrent || out.Mirrors[0].Aliases["champion"] != champion || out.Mirrors[0].Aliases["latest"] != 2 {
			t.Errorf("%s: %+v", decision, out.Mirrors)
		}
	}
}

// TestRefreshResultBeforeMirrors: what was decided is in the file before mirrors are waited for.
func TestRefreshResultBeforeMirrors(t *testing.T) {
	t.Parallel()
	e := refreshedFolder(t, "{max_age: 0, rows: 1, cooldown: 0, min_change: -1}", "SPRINT_SET_PUBLISH__MIRROR=[{to: command://team, command: [cp, refresh.json, seen.json]}]")
	e.one(t, "sprint refresh plan.yaml --store store --result refresh.json -o json 2>/dev/null")
	var early refresh.Result
	if seen, err := os.ReadFile(filepath.Join(e.dir, "seen.json")); err != nil || json.Unmarshal(seen, &early) != nil || early.Decision != refresh.Promoted || early.Class == "" {
		t.Errorf("while a mirror was told the file was %s (%v)", seen, err)
	}
}
