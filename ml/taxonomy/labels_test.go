package taxonomy

import (
	"strings"
	"testing"
)

// TestLabels: a file says how many categories a text has; what does not say so is as it
// always was.
func TestLabels(t *testing.T) {
	const rest = "categories: [{name: a, rules: [{words: [xx]}]}, {name: a_probability, rules: [{words: [yy]}]}]\n"
	for head, want := range map[string]struct {
		single bool
		says   string
	}{
		"":                   {},
		"labels: multi\n":    {},
		"labels: single\n":   {says: "a_probability"},
		"labels: several\n":  {says: "1:9: labels must be multi or single"},
		"labels: [single]\n": {says: "1:9: labels must be multi or single"},
	} {
		got, problems := Parse([]byte(head + rest))
		if want.says != "" {
			if len(problems) != 1 || !strings.Contains(problems[0].String(), want.says) {
				t.Errorf("%q: %v", head, problems)
			}
			continue
		}
		if len(problems) > 0 || got.Single {
			t.Errorf("%q: single %v, %v", head, got != nil && got.Single, problems)
		}
	}
	if got, problems := Parse([]byte("labels: single\ncategories: [{name: a, rules: [{words: [xx]}]}]\n")); len(problems) > 0 || !got.Single {
		t.Errorf("%v %v", got, problems)
	}
}
