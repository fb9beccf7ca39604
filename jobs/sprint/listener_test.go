//go:build unix

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRunTells: a run tells the commands of its plan of what it published. One that fails or
// hangs is said, fails no run, and is told by the next one, also if that has nothing else to do.
func TestRunTells(t *testing.T) {
	e := prepareFolder(t)
	told := func(script string) string {
		began := time.Now()
		out, err := e.shell(`sprint run --set 'publish.mirror=[{to: "command://team", timeout: 2s, command: [sh, -c, "` + script + `"]}]'`)
		if err != nil || time.Since(began) > time.Minute {
			t.Fatalf("%s: %v after %s\n%s", script, err, time.Since(began), out)
		}
		return out
	}
	for tries, c := range []struct{ script, says string }{
		{"echo not today >&2; exit 3", "ended with exit status 3: not today"},
		{"sleep 60", "did not end in 2s"},
	} {
		if out := told(c.script); !strings.Contains(out, "a mirror is behind; the next run of the plan tries it again") || !strings.Contains(out, c.says) {
			t.Errorf("%s: %s", c.script, out)
		}
		if out, err := e.shell("sprint models"); err != nil || !strings.Contains(out, "mirror command://team of quickstart is behind since ") || !strings.Contains(out, ": latest is not there; the last try on ") || !strings.Contains(out, c.says) || strings.Contains(out, "(2 tries failed)") != (tries == 1) {
			t.Errorf("%v: %s", err, out)
		}
	}
	for range 2 {
		if out := told("cat >> heard"); !strings.Contains(out, "mirror command://team of quickstart: latest is version 1") {
			t.Errorf("it says %s", out)
		}
	}
	if out, err := e.shell("sprint models"); err != nil || strings.Contains(out, "behind") {
		t.Errorf("%v: %s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(e.dir, "heard"))
	var event struct {
		Model, Alias, Digest, Run, Store string
		Version                          int
		Metrics                          struct {
			On      string
			MacroF1 *float64 `json:"macro_f1"`
		}
	}
	// It is one event, so one line.
	if err != nil || json.Unmarshal(data, &event) != nil || event.Model != "quickstart" || event.Version != 1 || event.Alias != "latest" || event.Metrics.On == "" || event.Metrics.MacroF1 == nil {
		t.Errorf("%v: it was told %s", err, data)
	}
	if out, err := e.shell("sprint artifacts get --store '" + event.Store + "' quickstart@1 there"); err != nil {
		t.Errorf("the store that it was told: %v, %s", err, out)
	}
	if out, err := e.shell("sprint status " + event.Run); err != nil {
		t.Errorf("the run that it was told: %v, %s", err, out)
	}
}
