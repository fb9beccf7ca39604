package dataset

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Replace puts with in the place of the words of a field on which rules fired. Words that
// overlap are replaced once. field is 0 for the title and 1 for the description, as in
// keywords.Hit.
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

// EncodeWithoutRules encodes the texts of rows for a model, with another word in the place of
// those on which rules fire.
func EncodeWithoutRules(t *taxonomy.Taxonomy, m *bert.Model, set []rows.Row, with string) []bert.Text {
	matcher := keywords.New(t)
	var hits keywords.Result
	texts := make([]bert.Text, len(set))
	for i, r := range set {
		matcher.MatchIn(&hits, r.Language, r.Title, r.Description)
		texts[i].IDs, texts[i].Types = m.Encode(Replace(r.Title, 0, hits.Fired, with), Replace(r.Description, 1, hits.Fired, with))
	}
	return texts
}
