package dataset

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/keywords"
)

// MaskToken is what BERT's vocabularies call a hidden word.
const MaskToken = "[MASK]"

// Mask replaces the words of a field on which rules fired by MaskToken. field is
// 0 for the title and 1 for the description, as in keywords.Hit.
func Mask(text string, field int, hits []keywords.Hit) string {
	return Replace(text, field, hits, MaskToken)
}

// Replace puts with in the place of the words of a field on which rules fired.
// Words that overlap are replaced once.
func Replace(text string, field int, hits []keywords.Hit, with string) string {
	var spans [][2]int
	for _, h := range hits {
		if h.Field == field {
			spans = append(spans, [2]int{h.Start, h.End})
		}
	}
	slices.SortFunc(spans, func(a, b [2]int) int { return cmp.Compare(a[0], b[0]) })
	var b strings.Builder
	at := 0
	for _, s := range spans {
		if s[0] >= at {
			b.WriteString(text[at:s[0]])
			b.WriteString(with)
		}
		at = max(at, s[1])
	}
	b.WriteString(text[at:])
	return b.String()
}
