//go:build !daulet

package tokenize_test

import (
	"testing"

	"github.com/sprint-ml/sprint/ml/tokenize"
)

// TestEncodeAllLeavesNoGarbage holds for the pure-Go engine; the Rust one passes
// every text through C.
func TestEncodeAllLeavesNoGarbage(t *testing.T) {
	tok := fromVocab(t, true, true)
	texts := make([]tokenize.Text, 20_000)
	for i := range texts {
		texts[i].First = "Brand i centrala Stockholm"
	}
	if n := testing.AllocsPerRun(1, func() { tok.EncodeAll(texts, 0, 1) }); n > 400 {
		t.Errorf("%v allocations for %d texts", n, len(texts))
	}
}
