package publish_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/ml/onnx"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/publish"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

const taxonomyWithRules = `
negation: {words: [no], not: [no doubt], within: 2}
categories:
  - name: fire
    tags: [big]
    rules: [{id: fire, tag: big, words: [fire, "Große Brände"], compounds: [brand], except: {words: [brand new]}}]
  - name: money
    rules: {mul: [{id: bank, prefixes: [bank], not: {parts: [flod]}}], sv: [{id: pengar, suffixes: [pengar], weight: -0.5}]}
`

// TestOutside: a release has what rules.py needs where rules answer beside the model, the
// classifier as one ONNX file where the plan asks for it, and neither elsewhere.
func TestOutside(t *testing.T) {
	e, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	files := func(bonus float64) (map[string]string, *bert.Model) {
		m, err := bert.FromEncoder(e, bert.Spec{
			Categories: []bert.Category{{Name: "fire", Tags: []string{"", "big"}}, {Name: "money", Tags: []string{""}}},
			Linear:     true, Pooling: bert.Mean, MaxLength: 16, Text: []string{"title"}, RulesBonus: bonus,
		}, 1)
		if err != nil {
			t.Fatal(err)
		}
		dir, out := t.TempDir(), map[string]string{}
		if err := m.Save(dir); err != nil {
			t.Fatal(err)
		}
		paths, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			data, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			out[filepath.Base(p)] = string(data)
		}
		return out, m
	}
	release := func(files map[string]string, whole bool) map[string][]byte {
		s := stagetest.Store(t)
		m := put(t, s, files)
		return stagetest.MustRun(t, stagetest.Case{Kind: publish.Kind(), Options: &publish.Options{Name: "desk", Alias: "latest", ONNX: whole}, Store: s,
			Taxonomy: stages.Source{Name: "taxonomy.yaml", Data: []byte(taxonomyWithRules)},
			Inputs: map[string]any{"model": m, "thresholds": `{}`, "history": "[]", "metrics": `{}`,
				"checks": strings.ReplaceAll(passed, "MODEL", m.Digest)}}).Tree(t, "release")
	}
	ruled, m := files(2)
	got := release(ruled, true)
	f, err := onnx.Classifier(m)
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if _, err := f.WriteTo(&want); err != nil || !bytes.Equal(got["model.onnx"], want.Bytes()) {
		t.Errorf("model.onnx has %d bytes, the model makes %d: %v", len(got["model.onnx"]), want.Len(), err)
	}
	var rules struct {
		Categories int
		Languages  []string
		Negation   struct{ Words, Not [][]string }
		Rules      []struct {
			Language              string
			Weight                float64
			Negatable             bool
			Patterns, Not, Except map[string][][]string
		}
	}
	if err := json.Unmarshal(got["rules.json"], &rules); err != nil || len(rules.Rules) != 3 || len(rules.Languages) != 1 || len(got["rules.py"]) == 0 {
		t.Fatalf("%v: %s", err, got["rules.json"])
	}
	if r := rules.Rules[0]; len(r.Patterns["words"]) != 2 || strings.Join(r.Patterns["words"][1], " ") != "grosse brände" || !r.Negatable || len(r.Except["words"][0]) != 2 || len(rules.Negation.Not[0]) != 2 {
		t.Errorf("%+v", r)
	}
	if r := rules.Rules[2]; r.Language != "sv" || r.Weight != -0.5 || r.Patterns["suffixes"][0][0] != "pengar" {
		t.Errorf("%+v", r)
	}
	alone, _ := files(0)
	if got := release(alone, false); got["rules.json"] != nil || got["rules.py"] != nil || got["model.onnx"] != nil || got["model.py"] == nil {
		t.Errorf("of a model that answers alone: %s", stagetest.Paths(got))
	}
	if card := string(got["README.md"]); !strings.Contains(card, "model.onnx") || !strings.Contains(card, "take part in its answers") || !strings.Contains(card, "reads 16 tokens") {
		t.Error(card)
	}
	if lines := bytes.Count(got["model.py"], []byte("\n")); lines > 80 {
		t.Errorf("model.py has %d lines; whoever gets it should read it", lines)
	}
}
