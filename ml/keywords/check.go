package keywords

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// Check says what is wrong with the rules' answer to a test, "" if nothing is.
// r holds the answer afterwards.
func (m *Matcher) Check(r *Result, test taxonomy.Test) string {
	m.Match(r, test.Title, test.Description)
	var wrong []string
	name := func(c int) string { return m.tax.Categories[c].Name }
	wanted := map[int]bool{}
	for _, w := range test.Want {
		wanted[w.Category] = true
		tags := m.tax.Categories[w.Category].Tags
		switch {
		case r.Scores[w.Category] <= 0:
			wrong = append(wrong, "no "+name(w.Category))
		case w.Tag >= 0 && r.Tags[w.Category] != w.Tag:
			wrong = append(wrong, fmt.Sprintf("%s is tagged %q, not %q", name(w.Category), tags[r.Tags[w.Category]], tags[w.Tag]))
		}
	}
	for c, score := range r.Scores {
		if score > 0 && (test.Want != nil && !wanted[c] || slices.Contains(test.Not, c)) {
			wrong = append(wrong, name(c)+" is present")
		}
	}
	return strings.Join(wrong, "; ")
}
