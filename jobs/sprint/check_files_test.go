package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFilesAreLookedAt: validate and plan tell what is wrong with the files that a plan
// names, as run would, and what no stage reads.
func TestFilesAreLookedAt(t *testing.T) {
	plan := func(paths string) string {
		return strings.Replace(goodPlan, "paths: [rows.jsonl]", "paths: ["+paths+"]", 1)
	}
	between := "  - {name: clean, kind: command, with: {argv: [cp, a, b], inputs: [articles], outputs: [cleaned]}}\n  - name: label\n"
	for name, c := range map[string]struct {
		plan string
		code int
		want string // in stderr
	}{
		"good":           {goodPlan, 0, ""},
		"no file":        {plan("none.jsonl"), 3, "none.jsonl: no such file or directory"},
		"a folder":       {plan("folder"), 3, "cannot read folder: it is a folder: write folder/*.jsonl"},
		"nothing fits":   {plan("'*.csv'"), 3, "no file fits the pattern"},
		"unread outputs": {strings.Replace(goodPlan, "  - name: label\n", between, 1), 0, "warning: plan.yaml:6:5: stages.clean: stage clean makes cleaned, which no stage reads\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := demo(t, map[string]string{"plan.yaml": c.plan})
			if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
				t.Fatal(err)
			}
			for _, command := range []string{"validate", "plan"} {
				code, _, stderr := exec(t, dir, command)
				if code != c.code || !strings.Contains(strings.ReplaceAll(stderr, dir+"/", ""), c.want) {
					t.Errorf("%s: code %d, want %d:\n%s", command, code, c.code, stderr)
				}
			}
		})
	}
}
