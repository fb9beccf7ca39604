//go:build daulet

package tokenize

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestEnginesAgree compares the pure-Go engine with the Rust one on the hard
// strings and on random ones that mix scripts, marks and special tokens.
func TestEnginesAgree(t *testing.T) {
	vocab, err := os.ReadFile("testdata/cased.txt")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("testdata/hard.json")
	if err != nil {
		t.Fatal(err)
	}
	var hard []string
	if err := json.Unmarshal(data, &hard); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ lower, strip bool }{{false, false}, {true, true}, {true, false}, {false, true}} {
		tok, err := FromVocab(vocab, VocabOptions{Lower: c.lower, StripAccents: &c.strip})
		if err != nil {
			t.Fatal(err)
		}
		pure := newWordPiece(tok.spec)
		same := func(tb rapid.TB, text string) {
			got, want := pure.encode(nil, text, -1), tok.engine.encode(nil, text, -1)
			if !slices.Equal(got, want) {
				tb.Fatalf("%+v %+q:\n pure %v\n rust %v", c, text, got, want)
			}
		}
		for _, h := range hard {
			text, err := base64.StdEncoding.DecodeString(h)
			if err != nil {
				t.Fatal(err)
			}
			same(t, string(text))
		}
		part := rapid.OneOf(
			rapid.SampledFrom([]string{" ", "åäö", "Stockholm", "[SEP]", "[", "é", "e\u0301", "\u0315\u0300", "\u0345", "İ", "ﬁ", "中", "한", "\uf900", "🎉", "\u200b", "\x00", "–"}),
			rapid.StringN(1, 6, -1),
		)
		rapid.Check(t, func(rt *rapid.T) {
			text := ""
			for _, p := range rapid.SliceOfN(part, 0, 20).Draw(rt, "parts") {
				text += p
			}
			same(rt, text)
		})
	}
}
