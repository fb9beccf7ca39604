package examples

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/stages/all"
)

// TestLanguageWithoutRules: where a plan is checked it is said how many of its rows are in
// a language of which there are no rules.
func TestLanguageWithoutRules(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("nordic-news")); err != nil {
		t.Fatal(err)
	}
	check := func() string {
		plan, err := config.LoadPlan(filepath.Join(dir, "plan.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		options, err := config.NewOptions(plan, config.Overrides{})
		if err != nil {
			t.Fatal(err)
		}
		g, err := graph.Compile(context.Background(), plan, graph.CompileOptions{Registry: all.All(), Options: options})
		if err != nil {
			t.Fatal(err)
		}
		warnings, err := g.CheckFiles(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, w := range warnings {
			out = append(out, w.Message)
		}
		return strings.Join(out, "\n")
	}
	if got := check(); got != "" {
		t.Errorf("the example as it is: %s", got)
	}
	file := filepath.Join(dir, "taxonomy.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	without := strings.ReplaceAll(strings.ReplaceAll(string(text), "      fi:\n", "      se:\n"), "      nb:\n", "      no:\n")
	if err := os.WriteFile(file, []byte(without), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := check(); got != "48 of the 144 rows in the file are in fi, of which there are no rules: rules give them no label" {
		t.Errorf("without Finnish rules: %q", got)
	}
}
