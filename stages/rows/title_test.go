package rows_test

import (
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/storage/storagetest/fuzztest"
)

// TestLongTitles: the spacing of a title is mended in time and memory that are in
// proportion to it, however its tokens join.
func TestLongTitles(t *testing.T) {
	for _, token := range []string{". ", ", ", " - b", "' ", `" `, "a : s ", "1 . 2 ", "( ", "\u0301", "« "} {
		title := "Aa " + strings.Repeat(token, 900_000/len(token))
		fuzztest.Bounded(t, func() { rows.NormalizeTitle(title) })
	}
}
