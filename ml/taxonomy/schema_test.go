package taxonomy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"go.yaml.in/yaml/v4"
)

// TestSchemaAgreesWithParser holds that an editor with the schema and the parser take and
// refuse the same.
func TestSchemaAgreesWithParser(t *testing.T) {
	schema := compile(t)
	good := map[string]string{
		"the example":     taxonomy.Example,
		"one word each":   "categories: [{name: a, tags: b, rules: [{words: xy, not: {parts: [zz]}, weight: -1}]}]",
		"one label a row": "labels: single\ncategories: [{name: a, rules: [{words: xy}]}]",
		"numbers":         "strict: false\ncategories: [{name: a, tags: [2024], rules: [{id: 7, tag: 2024, words: [2024]}]}]",
	}
	files, err := filepath.Glob("../../examples/*/taxonomy.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		good[f] = string(b)
	}
	for name, text := range good {
		if _, problems := taxonomy.Parse([]byte(text)); len(problems) > 0 {
			t.Errorf("%s: the parser says %v", name, problems)
		}
		if err := schema.Validate(value(t, text)); err != nil {
			t.Errorf("%s: the schema says %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"no categories":       "strict: true",
		"unknown key":         "categorys: [{name: a}]",
		"unknown key of rule": "categories: [{name: a, rules: [{word: xy}]}]",
		"unknown form":        "categories: [{name: a, rules: [{words: [xy], not: {phrases: [z z]}}]}]",
		"a name in capitals":  "categories: [{name: A, rules: [{words: xy}]}]",
		"weight 0":            "categories: [{name: a, rules: [{words: xy, weight: 0}]}]",
		"weight 2":            "categories: [{name: a, rules: [{words: xy, weight: 2}]}]",
		"within 11":           "negation: {words: [no], within: 11}\ncategories: [{name: a, rules: [{words: xy}]}]",
		"negation of nothing": "negation: {within: 1}\ncategories: [{name: a, rules: [{words: xy}]}]",
		"labels: one":         "labels: one\ncategories: [{name: a, rules: [{words: xy}]}]",
		"strict: perhaps":     "strict: perhaps\ncategories: [{name: a, rules: [{words: xy}]}]",
	} {
		if _, problems := taxonomy.Parse([]byte(text)); len(problems) == 0 {
			t.Errorf("%s: the parser takes it", name)
		}
		if err := schema.Validate(value(t, text)); err == nil {
			t.Errorf("%s: the schema takes it", name)
		}
	}
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	b, err := json.Marshal(taxonomy.Schema())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("taxonomy.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("taxonomy.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// value is YAML as JSON has it.
func value(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}
