package publish

import (
	"math/rand/v2"
	"testing"

	"github.com/sprint-ml/sprint/stages/rows/titles"
)

const askTitles = `
import json, sys
from titles import normalize
print(json.dumps([normalize(x) for x in json.load(sys.stdin)]))
`

// TestTitlesInPython: titles.py brings titles into the form in which package titles does,
// those too whose tokens stand apart.
func TestTitlesInPython(t *testing.T) {
	pieces := []string{
		"a", "USA", "s", "erna", "kassa", "Saab", "chefen", "20", "årig", "10", "2", "Ö", "é", "e\u0301", "日本", "It", "S", "t", "re", "ßx", "ǅ", "٣", "🔥", "ª",
		".", ",", ";", "!", "?", "…", "..", "...", ")", "]", "}", "(", "[", "{", ":", "-", "–", "'", "’", `"`, "”", "“", "„", "»", "«", "<", "\u0301",
		"\t", "\n", "\x00", "\x1c", "\u0085", "\u00a0", "\u2028", "\u3000", "\u00ad", "\u200b", "\ufeff", "\u200d", "\ufffd",
	}
	rng := rand.New(rand.NewPCG(8, 2))
	texts := make([]string, 20_000)
	changed := 0
	for i := range texts {
		for range rng.IntN(12) {
			texts[i] += pieces[rng.IntN(len(pieces))]
			if rng.IntN(5) > 0 {
				texts[i] += " "
			}
		}
	}
	var got []string
	if askPython(t, askTitles, map[string][]byte{"titles.py": titlesPy}, texts, &got); len(got) != len(texts) {
		t.Fatalf("%d titles", len(got))
	}
	for i, x := range texts {
		want := titles.Normalize(x)
		if got[i] != want {
			t.Fatalf("%q becomes %q, want %q", x, got[i], want)
		}
		if want != x {
			changed++
		}
	}
	if changed < len(texts)/2 {
		t.Errorf("%d of %d titles were changed", changed, len(texts))
	}
}
