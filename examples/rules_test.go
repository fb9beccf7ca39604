package examples

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// TestRules runs the rule tests of every example that has some, as `sprint
// label-preview --test` does.
func TestRules(t *testing.T) {
	files, err := filepath.Glob("*/rules_test.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("rule tests: %v (%v)", files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(filepath.Dir(file), "taxonomy.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		tax, problems := taxonomy.Parse(data)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if data, err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
		tests, problems := taxonomy.ParseTests(data, tax)
		if len(problems) > 0 {
			t.Fatalf("%s: %v", file, problems)
		}
		m := keywords.New(tax)
		var res keywords.Result
		for _, test := range tests {
			if wrong := m.Check(&res, test); wrong != "" {
				t.Errorf("%s:%d: %q: %s", file, test.Line, test.Title, wrong)
			}
		}
	}
}
