package examples

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/config/strictyaml"
	"github.com/sprint-ml/sprint/jobs/sprint/care"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/all"
)

// TestReference holds the reference pages, and the JSON Schemas that editors use.
func TestReference(t *testing.T) {
	want := map[string][]byte{}
	var index strings.Builder
	index.WriteString("# Reference\n\n`sprint schema --kind NAME` prints these pages; `-o json` the JSON Schema of a file.\n\n")
	for _, p := range care.Pages() {
		var b bytes.Buffer
		if err := p.WriteMarkdown(&b); err != nil {
			t.Fatal(err)
		}
		want["reference/"+p.Name+".md"] = b.Bytes()
		if !strings.Contains(p.Name, ".") {
			index.WriteString("- [" + p.Name + "](" + p.Name + ".md)\n")
		}
		if p.Schema != nil && (p.Name == "taxonomy" || p.Name == "config") {
			s, err := json.MarshalIndent(p.Schema, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			want[p.Name+".schema.json"] = append(s, '\n')
		}
	}
	want["reference/README.md"] = []byte(index.String())
	there, err := filepath.Glob("reference/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range there {
		if want[filepath.ToSlash(f)] == nil {
			if *update {
				_ = os.Remove(f)
				continue
			}
			t.Errorf("%s explains what is no more; `just golden` removes it", f)
		}
	}
	for file, text := range want {
		if *update {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
			continue
		}
		if d := cmp.Diff(string(got), string(text)); d != "" {
			t.Errorf("%s changed (-golden +now); `just golden` rewrites it:\n%s", file, d)
		}
	}
}

// TestReferenceExamples holds that the examples of kinds and of their topics are options
// that the kinds take.
func TestReferenceExamples(t *testing.T) {
	for _, k := range all.All() {
		examples := map[string]string{k.Name: k.Example}
		for _, topic := range k.Topics {
			examples[k.Name+"."+topic.Name] = topic.Example
		}
		for name, text := range examples {
			v, err := strictyaml.ParseValue(text)
			raw, isMap := v.(map[string]any)
			if err != nil || !isMap {
				t.Errorf("%s: %v, %v", name, v, err)
				continue
			}
			values := options.NewValues("", diagnostic.Position{})
			if err := values.Add(options.Layer{From: "example", Raw: raw}); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			o := k.Options()
			decoder := options.Decoder{ErrorAt: func(_ diagnostic.Position, path, message, hint string) *diagnostic.Error {
				return &diagnostic.Error{Path: path, Message: message, Hint: hint}
			}}
			if _, err := decoder.Decode(values, o); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if c, ok := o.(stages.Checker); ok {
				for _, p := range c.Check() {
					t.Errorf("%s: %s: %s", name, p.Path, p.Message)
				}
			}
		}
	}
}
