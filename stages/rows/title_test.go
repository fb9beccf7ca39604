package rows_test

import (
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/storage/storagetest/fuzztest"
)

// FuzzOrdinary: what is taken for an ordinary title is one.
func FuzzOrdinary(f *testing.F) {
	for _, s := range []string{"Fire in town", "Åre – é’s", "a - b", "s : x", "A ( b )", " a", "e\u0301", "x\u2013", "\u024f \u0180"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if rows.Ordinary(s) && rows.NormalizeAny(s) != s {
			t.Errorf("%q becomes %q", s, rows.NormalizeAny(s))
		}
	})
}

// TestLongTitles: the spacing of a title is mended in time and memory that are in
// proportion to it, however its tokens join.
func TestLongTitles(t *testing.T) {
	for _, token := range []string{". ", ", ", " - b", "' ", `" `, "a : s ", "1 . 2 ", "( ", "\u0301", "« "} {
		title := "Aa " + strings.Repeat(token, 900_000/len(token))
		fuzztest.Bounded(t, func() { rows.NormalizeTitle(title) })
	}
}
