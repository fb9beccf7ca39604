package encoder_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

// TestPrompt: an encoder's default prompt is read as sentence-transformers means it, and
// is a part of the encoder's digest if it says one.
func TestPrompt(t *testing.T) {
	dir := encodertest.Tiny(t)
	before, err := encoder.Resolve(t.Context(), dir, encoder.Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, prompt, wrong string }{
		"none named": {`{"prompts": {"query": "query: "}, "default_prompt_name": null}`, "", ""},
		"older":      {`{"__version__": {"pytorch": "1.8.1"}}`, "", ""},
		"one":        {`{"prompts": {"query": "query: ", "passage": "passage: "}, "default_prompt_name": "query"}`, "query: ", ""},
		"no JSON":    {`{`, "", "config_sentence_transformers.json"},
		"a stranger": {`{"prompts": {"query": "query: "}, "default_prompt_name": "passage"}`, "", `"passage"`},
		"a book":     {`{"prompts": {"a": "` + strings.Repeat("x", 3000) + `"}, "default_prompt_name": "a"}`, "", "2000 bytes"},
	} {
		if err := os.WriteFile(filepath.Join(dir, "config_sentence_transformers.json"), []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		e, err := encoder.Load(dir)
		switch {
		case c.wrong != "":
			if !errors.Is(err, encoder.ErrCorrupt) || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%s: %v", name, err)
			}
		case err != nil || e.Prompt != c.prompt:
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	for text, same := range map[string]bool{`{"prompts": {"a": "query: "}, "default_prompt_name": "a"}`: false, `{"__version__": {"pytorch": "1.8.1"}}`: true} {
		if err := os.WriteFile(filepath.Join(dir, "config_sentence_transformers.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		after, err := encoder.Resolve(t.Context(), dir, encoder.Options{CacheDir: t.TempDir()})
		if err != nil || (after.Digest == before.Digest) != same {
			t.Errorf("%s: digest %s, before %s, %v", text, after.Digest, before.Digest, err)
		}
	}
}
