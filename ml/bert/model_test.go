package bert_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/ml/fuzztest"
)

// TestSavedAgain: a model that is loaded and saved again is the same to the
// byte, with the pooler that its pooling does not use and with what Python needs to
// see that a tokenizer is a cased one.
func TestSavedAgain(t *testing.T) {
	e, err := encoder.Load(encodertest.Swedish(t, "gelu"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bert.FromEncoder(e, bert.Spec{Categories: []bert.Category{{Name: "a", Tags: []string{"", "x"}}}, Pooling: bert.Mean, HeadHidden: 8, MaxLength: 48, Text: []string{"title"}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	first, second := t.TempDir(), t.TempDir()
	if err := m.Save(first); err != nil {
		t.Fatal(err)
	}
	if m, err = bert.Load(first); err != nil {
		t.Fatal(err)
	}
	if err := m.Save(second); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"} {
		a, err := os.ReadFile(filepath.Join(first, name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(second, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs", name)
		}
	}
	again, err := encoder.Load(second)
	if err != nil {
		t.Fatal(err)
	}
	if !again.HasPooler() {
		t.Error("the pooler is lost")
	}
	text, err := os.ReadFile(filepath.Join(second, "tokenizer_config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Lower *bool `json:"do_lower_case"`
		Strip *bool `json:"strip_accents"`
		Most  int   `json:"model_max_length"`
	}
	if err := json.Unmarshal(text, &s); err != nil || s.Lower == nil || *s.Lower || s.Strip == nil || *s.Strip || s.Most != 48 {
		t.Errorf("tokenizer_config.json: %s (%v)", text, err)
	}
}

// TestLoadRefusesHeadsThatAreNoNumbers: weights that no training writes are damage.
func TestLoadRefusesHeadsThatAreNoNumbers(t *testing.T) {
	e, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		m, err := bert.FromEncoder(e, bert.Spec{Categories: []bert.Category{{Name: "a", Tags: []string{"", "x"}}}, Pooling: bert.Mean, HeadHidden: 8, MaxLength: 16, Text: []string{"title"}}, 1)
		if err != nil {
			t.Fatal(err)
		}
		last := m.Params[len(m.Params)-1]
		last.Data[len(last.Data)-1] = float32(value)
		dir := t.TempDir()
		if err := m.Save(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := bert.Load(dir); !errors.Is(err, encoder.ErrCorrupt) || !strings.Contains(err.Error(), "heads.0.tag.1.bias") {
			t.Errorf("%v: got %v", value, err)
		}
	}
}

// TestLoadRefusesHeadsThatAreNotThere: what a config claims of the heads costs nothing
// before the file has their weights, nor do few weights stand for many.
func TestLoadRefusesHeadsThatAreNotThere(t *testing.T) {
	e, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bert.FromEncoder(e, bert.Spec{Categories: []bert.Category{{Name: "a", Tags: []string{""}}}, Pooling: bert.Mean, HeadHidden: 8, MaxLength: 16, Text: []string{"title"}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.json")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		claim func(sprint map[string]any)
		want  string
	}{
		"wide":  {func(s map[string]any) { s["head_hidden"] = 60_000 }, "heads.0.score.0.weight"},
		"wider": {func(s map[string]any) { s["head_hidden"] = 1_000_000_000 }, "too large"},
		"many tags": {func(s map[string]any) {
			many := make([]string, 60_000)
			s["categories"] = append(slices.Repeat([]any{map[string]any{"name": "a", "tags": []string{""}}}, 1000), map[string]any{"name": "b", "tags": many})
		}, "too large"},
		"categories": {func(s map[string]any) {
			s["categories"] = slices.Repeat([]any{map[string]any{"name": "a", "tags": []string{""}}}, 60_000)
		}, "heads.1.score.0.weight is missing"},
	} {
		var config map[string]any
		if err := json.Unmarshal(good, &config); err != nil {
			t.Fatal(err)
		}
		c.claim(config["sprint"].(map[string]any))
		text, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		fuzztest.Bounded(t, func() { _, err = bert.Load(dir) })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %.300v", name, err)
		}
	}
}

// TestPrompt: the prompt stands before every text, in the release too, which readers of
// before prompts refuse; one that leaves no room for texts is refused.
func TestPrompt(t *testing.T) {
	e, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	spec := bert.Spec{Categories: []bert.Category{{Name: "x", Tags: []string{""}}}, Pooling: bert.Mean, HeadHidden: 1, MaxLength: 16, Text: []string{"title", "description"}, Prompt: "waa wab "}
	m, err := bert.FromEncoder(e, spec, 1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	if m, err = bert.Load(dir); err != nil || m.Spec.Prompt != spec.Prompt {
		t.Fatalf("%+v, %v", m.Spec, err)
	}
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil || !strings.Contains(string(config), `"format": 4`) {
		t.Errorf("%s, %v", config, err)
	}
	spec.Prompt = ""
	plain, err := bert.FromEncoder(e, spec, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, description := range []string{"", "wae"} {
		got, _ := m.Encode("wac wad", description)
		want, _ := plain.Encode("waa wab wac wad", description)
		if !slices.Equal(got, want) {
			t.Errorf("ids %v, want %v", got, want)
		}
	}
	spec.Prompt = strings.Repeat("waa ", 10)
	if _, err := bert.FromEncoder(e, spec, 1); err == nil || !strings.Contains(err.Error(), "prompt has 12 tokens") {
		t.Errorf("a long prompt: %v", err)
	}
}
