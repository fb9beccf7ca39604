package tokenize_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/tokenize"
)

// golden is what Hugging Face's tokenizers makes of texts, with tokenizers of one family.
type golden struct {
	Texts []string
	Kinds map[string]struct {
		Tokenizer json.RawMessage
		IDs       [][]int32
	}
	Pairs []struct {
		A, B, Max  int
		IDs, Types []int32
	}
}

// checkIDs compares the ids of all texts by every kind, and those of pairs by one.
func (g *golden) checkIDs(t *testing.T, load func(kind string) *tokenize.Tokenizer, pairs string) {
	t.Helper()
	for name, kind := range g.Kinds {
		tok := load(name)
		for range 2 { // the second time words are in the cache
			for i, text := range g.Texts {
				if engine == "daulet" && strings.Contains(text, "\x00") {
					continue // which cannot pass through C
				}
				got := tok.Encode(nil, text, 0)
				if got = got[1 : len(got)-1]; !slices.Equal(got, kind.IDs[i]) {
					t.Errorf("%s, text %d %+q:\n got %v\nwant %v", name, i, text, got, kind.IDs[i])
				}
			}
		}
	}
	tok := load(pairs)
	for _, p := range g.Pairs {
		ids, types := tok.EncodePair([]int32{7}, []int32{9}, g.Texts[p.A], g.Texts[p.B], p.Max)
		if ids[0] != 7 || types[0] != 9 || !slices.Equal(ids[1:], p.IDs) || !slices.Equal(types[1:], p.Types) {
			t.Errorf("pair %d %d, max %d:\n got %v %v\nwant %v %v", p.A, p.B, p.Max, ids, types, p.IDs, p.Types)
		}
	}
}

// checkTruncation: the ids of a text that is too long are the first, and the last.
func (g *golden) checkTruncation(t *testing.T, kind string, tok *tokenize.Tokenizer) {
	t.Helper()
	for _, text := range g.Texts {
		whole := tok.Encode(nil, text, 0)
		for _, limit := range []int{1, 2, 3, 4, 9} {
			want := whole
			if len(whole) > limit {
				want = append(slices.Clone(whole[:max(limit-1, 1)]), whole[len(whole)-1])[:limit]
			}
			if got := tok.Encode(nil, text, limit); !slices.Equal(got, want) {
				t.Fatalf("%s: %+q to %d: got %v, want %v", kind, text, limit, got, want)
			}
		}
	}
}

// checkFiles compares what is written beside a release. parts says of tokens whether they are
// inside of a word, and whether they are fixed.
func checkFiles(t *testing.T, tok *tokenize.Tokenizer, settings map[string]any, parts map[string][2]bool) {
	t.Helper()
	if v := tok.Vocab(); v != nil {
		t.Errorf("a vocab.txt of %d bytes, which no reader of this family knows", len(v))
	}
	var got map[string]any
	if err := json.Unmarshal(tok.Settings(64), &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range settings {
		if got[key] != want {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
	inside, fixed := tok.Parts()
	for token, want := range parts {
		if id, ok := tok.ID(token); !ok || inside[id] != want[0] || fixed[id] != want[1] {
			t.Errorf("%s: %v", token, id)
		}
	}
	if again, err := tokenize.Load(tok.JSON()); err != nil || again.Size() != tok.Size() {
		t.Errorf("JSON: %v", err)
	}
}
