//go:build daulet

package tokenize

import (
	"fmt"
	"strings"

	"github.com/daulet/tokenizers"
)

// rust is the engine of Hugging Face itself. It follows every tokenizer.json
// whose texts stand between one token and another.
type rust struct{ t *tokenizers.Tokenizer }

// newEngine builds the Rust engine; it lives as long as the process, as its
// owner has no end of its own.
func newEngine(_ spec, tokenizerJSON []byte) (engine, error) {
	t, err := tokenizers.FromBytes(tokenizerJSON)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	return rust{t}, nil
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
