//go:build daulet

package tokenize

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/daulet/tokenizers"
)

// rust is the engine of Hugging Face itself. It follows every tokenizer.json
// whose texts stand between one token and another.
type rust struct{ t *tokenizers.Tokenizer }

// newEngine builds the Rust engine; it lives as long as the process, as its
// owner has no end of its own.
func newEngine(_ spec, tokenizerJSON []byte) (engine, error) {
	if err := checkPrefix(tokenizerJSON); err != nil {
		return nil, err
	}
	t, err := tokenizers.FromBytes(tokenizerJSON)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	return rust{t}, nil
}

// checkPrefix refuses merges whose second token does not begin with the prefix of tokens
// within words. The Rust engine cuts as many bytes off it as the prefix has characters, and
// ends the process where there are fewer.
func checkPrefix(tokenizerJSON []byte) error {
	var file struct {
		Model struct {
			Prefix string            `json:"continuing_subword_prefix"`
			Merges []json.RawMessage `json:"merges"`
		} `json:"model"`
	}
	if json.Unmarshal(tokenizerJSON, &file) != nil || file.Model.Prefix == "" {
		return nil // what cannot be read is the engine's own error
	}
	prefix := file.Model.Prefix
	if len(prefix) != utf8.RuneCountInString(prefix) {
		return fmt.Errorf("tokenizer.json: the prefix %q of tokens within words is not ASCII", prefix)
	}
	for i, m := range file.Model.Merges {
		var pair []string
		var line string
		if json.Unmarshal(m, &pair) != nil && json.Unmarshal(m, &line) == nil {
			pair = strings.Split(line, " ")
		}
		if len(pair) == 2 && !strings.HasPrefix(pair[1], prefix) {
			return fmt.Errorf("tokenizer.json: merge %d: %q does not begin with %q, as tokens within words do", i, pair[1], prefix)
		}
	}
	return nil
}

// encode maps NUL to U+0001, since the text crosses into C, where NUL would cut
// it off; BERT's clean-up drops both.
func (r rust) encode(dst []int32, text string, _ int) []int32 {
	ids, _ := r.t.Encode(strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\x01"), false)
	for _, id := range ids {
		dst = append(dst, int32(id))
	}
	return dst
}
