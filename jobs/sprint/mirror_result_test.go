//go:build unix

package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/runs"
)

// TestResultHasMirrors: a run's result says of each mirror of its plan what came of it, and
// shows no secret. One that the plan lists no more is told as such, and can be forgotten.
func TestResultHasMirrors(t *testing.T) {
	t.Parallel()
	e := prepareFolder(t)
	const secret = "a-secret-of-more-than-twenty"
	e.env = append(e.env, "REGISTRY_TOKEN="+secret)
	const away = "oci://127.0.0.1:1/team/news"
	list := func(mirrors string) string {
		return "sprint run plan.yaml -o json --result result.json --set publish.mirror='" + mirrors + "'"
	}
	both := "[{to: command://team, command: [cp, result.json, seen.json]}, {to: " + away + ", plain: true, user: ci, secret: env:REGISTRY_TOKEN}]"
	for _, c := range []struct {
		line string
		want map[string]runs.MirrorState
	}{
		{list(both), map[string]runs.MirrorState{"command://team": runs.MirrorCurrent, away: runs.MirrorBehind}},
		{list(both) + " --offline", map[string]runs.MirrorState{"command://team": runs.MirrorSkipped, away: runs.MirrorSkipped}},
		{list("[]"), map[string]runs.MirrorState{}},
	} {
		out := e.one(t, c.line+" 2>/dev/null")
		if strings.Contains(out, secret) {
			t.Errorf("%s: the secret is shown", c.line)
		}
		last := out[strings.LastIndexByte(out, '\n')+1:]
		file, err := os.ReadFile(filepath.Join(e.dir, "result.json"))
		if err != nil {
			t.Fatal(err)
		}
		for from, text := range map[string]string{"standard output": last, "the file": string(file)} {
			var r runs.Result
			if err := json.Unmarshal([]byte(text), &r); err != nil || r.Code != 0 {
				t.Fatalf("%s: %v: %s", from, err, text)
			}
			got := map[string]runs.MirrorState{}
			for _, m := range r.Mirrors {
				got[m.Target] = m.State
				switch {
				case m.Model != "quickstart",
					m.State == runs.MirrorCurrent && (m.Aliases["latest"] != 1 || m.Error != ""),
					m.State == runs.MirrorBehind && (len(m.Aliases) > 0 || m.Tries != 1 || !strings.Contains(m.Error, "connection refused")),
					m.State == runs.MirrorSkipped && (m.Error != "" || m.Aliases == nil):
					t.Errorf("%s: %+v", from, m)
				}
			}
			if !maps.Equal(got, c.want) {
				t.Errorf("%s of %s has %v, want %v", from, c.line, got, c.want)
			}
		}
	}
	// The file is there before mirrors are waited for.
	var early runs.Result
	if seen, err := os.ReadFile(filepath.Join(e.dir, "seen.json")); err != nil || json.Unmarshal(seen, &early) != nil || early.Run == nil || early.Code != 0 {
		t.Errorf("while a mirror was told the file was %s (%v)", seen, err)
	}
	behind := e.one(t, "sprint models")
	if !regexp.MustCompile(`mirror ` + away + ` of quickstart is behind since \d{4}-\S+ \S+: latest is not there; the last try on \d{4}-.*connection refused`).MatchString(behind) {
		t.Errorf("it is listed as %s", behind)
	}
	forget := regexp.MustCompile("the plan quickstart lists it no more since [0-9: -]+: `(sprint models mirror quickstart --forget[^`]*)`").FindStringSubmatch(behind)
	if forget == nil || strings.Contains(behind, "command://team") || strings.Contains(behind, "the next run of the plan") {
		t.Fatalf("it is listed as %s", behind)
	}
	e.ends(t, "2", "sprint models mirror quickstart --forget oci://127.0.0.1:1/other", "the store knows no mirror", away, "command://team")
	e.ends(t, "2", "sprint models mirror quickstart --forget mlflow://host?token="+secret, `the store knows no mirror "mlflow://host?***" of quickstart`)
	e.ends(t, "2", "sprint models mirror none --forget "+away, "the store knows no mirror")
	e.ends(t, "2", "sprint models mirror --forget "+away, "takes the name of a model")
	e.ends(t, "0", forget[1], "is forgotten")
	e.ends(t, "2", forget[1], "the store knows no mirror")
	e.ends(t, "0", "sprint models mirror quickstart -o json --forget command://team", `"forgotten":true`)
	if list := e.one(t, "sprint models"); strings.Contains(list, "mirror") {
		t.Errorf("after it was forgotten: %s", list)
	}
	// A plan that lists it again asks it again.
	e.ends(t, "0", list(both), `"state":"behind"`)
	if list := e.one(t, "sprint models"); !strings.Contains(list, away+" of quickstart is behind") || strings.Contains(list, "no more") {
		t.Errorf("listed again: %s", list)
	}
	e.ends(t, "0", "sprint store check")
}
