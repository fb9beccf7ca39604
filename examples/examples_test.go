// Package examples holds plans that run as they are, and the tests that hold
// them to it.
package examples

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages/all"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// plans are the examples, one folder each, and those of other sources beside them.
func plans(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("*/plan.yaml")
	if err != nil || len(found) < 2 {
		t.Fatalf("plans: %v (%v)", found, err)
	}
	others, err := filepath.Glob("*/gdelt.yaml")
	if err != nil || len(others) == 0 {
		t.Fatalf("plans: %v (%v)", others, err)
	}
	return append(found, others...)
}

// TestGraphs holds the compiled graph of every example: a change of wiring,
// defaults or versions shows in the diff.
func TestGraphs(t *testing.T) {
	for _, file := range plans(t) {
		t.Run(strings.TrimSuffix(file, "/plan.yaml"), func(t *testing.T) {
			plan, err := config.LoadPlan(file)
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
			golden := strings.TrimSuffix(file, ".yaml") + ".graph"
			if *update {
				if err := os.WriteFile(golden, []byte(g.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatalf("%v (write it with `just golden`)", err)
			}
			if d := cmp.Diff(string(want), g.String()); d != "" {
				t.Errorf("the graph changed (-golden +now); `just golden` rewrites it:\n%s", d)
			}
		})
	}
}

// TestSchema holds the JSON Schema that editors use.
func TestSchema(t *testing.T) {
	var kinds []config.KindSchema
	for _, k := range all.All() {
		kinds = append(kinds, config.KindSchema{Name: k.Name, Doc: k.Doc, Options: k.Options()})
	}
	got, err := config.Schema(kinds)
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile("plan.schema.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("plan.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("the schema changed (-golden +now); `just golden` rewrites it:\n%s", d)
	}
}

// TestTaxonomies parses the taxonomy of every example.
func TestTaxonomies(t *testing.T) {
	files, err := filepath.Glob("*/taxonomy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, problems := taxonomy.Parse(data); len(problems) > 0 {
			t.Errorf("%s: %v", file, problems)
		}
	}
}
