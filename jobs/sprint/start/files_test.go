package start

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTakeFiles: what a run reads is no file for its end; the result of an earlier run is
// emptied, but not where another file is refused.
func TestTakeFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, x := range []struct{ junit, result, want, left string }{
		{"", "", "", "old"},
		{"junit.xml", "old.json", "", ""},
		{"plan.yaml", "old.json", "--junit", "old"},
		{"", "plan.yaml", "--result", "old"},
		{"", "none/new.json", "cannot write --result", "old"},
	} {
		for name, text := range map[string]string{"plan.yaml": "name: x", "old.json": "old"} {
			if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var f runFlags
		if x.junit != "" {
			f.junit = at(x.junit)
		}
		if x.result != "" {
			f.result = at(x.result)
		}
		err := f.takeFiles(at("plan.yaml"))
		if (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) {
			t.Errorf("%+v: %v", x, err)
		}
		plan, _ := os.ReadFile(at("plan.yaml"))
		if left, err := os.ReadFile(at("old.json")); err != nil || string(left) != x.left || string(plan) != "name: x" {
			t.Errorf("%+v: %q is left, and the plan is %q", x, left, plan)
		}
	}
}
