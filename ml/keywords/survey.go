package keywords

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// Survey counts what the rules make of a sample of texts, and how right they are
// on texts whose truth is known.
type Survey struct {
	Rows int `json:"rows"`
	// Covered rows have a category, Overlap ones several. On Conflicts rules of
	// one category gave different tags, on Contested ones some rule spoke
	// against a category that another spoke for.
	Covered   int `json:"covered"`
	Overlap   int `json:"overlap"`
	Conflicts int `json:"conflicts"`
	Contested int `json:"contested"`

	Categories []CategorySurvey `json:"categories"`
	Rules      []RuleSurvey     `json:"rules"`

	m    *Matcher
	tags []int // per category, of the row at hand
	seen []int // per rule, the last row on which it fired
	row  int
}

// CategorySurvey counts one category.
type CategorySurvey struct {
	Name string `json:"name"`
	Rows int    `json:"rows"`
	// Alone are rows of no other category; Overlap counts the others by name.
	Alone   int            `json:"alone"`
	Overlap map[string]int `json:"overlap,omitempty"`
}

// RuleSurvey counts one rule.
type RuleSurvey struct {
	ID     string  `json:"rule"` // category:rule
	Tag    string  `json:"tag,omitempty"`
	Weight float64 `json:"weight"`
	Line   int     `json:"line"`
	// Rows are those on which it fired, Sole those that would lose the category
	// without it.
	Rows int `json:"rows"`
	Sole int `json:"sole"`
	// Dead rules fired on no row. Dominating ones made most rows of their
	// category alone, though it has others: what is learned from it is one rule.
	Dead       bool `json:"dead,omitempty"`
	Dominating bool `json:"dominating,omitempty"`
	// Words are what it fired on, the most frequent first.
	Words []WordCount `json:"words,omitempty"`
	// Gold counts the rows of known truth on which it fired, Right those that
	// are of its category (for a rule against one: that are not), TagRight of
	// TagKnown those that carry its tag.
	Gold     int `json:"gold"`
	Right    int `json:"right"`
	TagKnown int `json:"tag_known,omitempty"`
	TagRight int `json:"tag_right,omitempty"`

	words map[string]int
}

// WordCount is a folded word or phrase and the rows that it stands in.
type WordCount struct {
	Word string `json:"word"`
	Rows int    `json:"rows"`
}

// NewSurvey begins a survey.
func NewSurvey(m *Matcher) *Survey {
	s := &Survey{m: m, tags: make([]int, len(m.tax.Categories)), seen: make([]int, len(m.rules))}
	for _, c := range m.tax.Categories {
		s.Categories = append(s.Categories, CategorySurvey{Name: c.Name, Overlap: map[string]int{}})
	}
	for _, r := range m.tax.Rules {
		c := m.tax.Categories[r.Category]
		s.Rules = append(s.Rules, RuleSurvey{ID: c.Name + ":" + r.ID, Tag: c.Tags[r.Tag], Weight: r.Weight, Line: r.Line, words: map[string]int{}})
	}
	return s
}

// fired lists the rules of a result once each.
func (s *Survey) fired(r *Result, each func(rule int, h Hit)) {
	s.row++
	for _, h := range r.Fired {
		if s.seen[h.Rule] != s.row {
			s.seen[h.Rule] = s.row
			each(h.Rule, h)
		}
	}
}

// Add counts what the rules said of a row of the sample.
func (s *Survey) Add(r *Result, title, description string) {
	s.Rows++
	var present []int
	for c, score := range r.Scores {
		if score > 0 {
			present = append(present, c)
		}
	}
	if len(present) > 0 {
		s.Covered++
	}
	if len(present) > 1 {
		s.Overlap++
	}
	for _, c := range present {
		x := &s.Categories[c]
		x.Rows++
		if len(present) == 1 {
			x.Alone++
		}
		for _, o := range present {
			if o != c {
				x.Overlap[s.Categories[o].Name]++
			}
		}
	}
	clear(s.tags)
	conflict, contested := false, false
	supporters := map[int][]int{} // rules for a category
	against := map[int]bool{}
	s.fired(r, func(rule int, h Hit) {
		x := &s.m.rules[rule]
		s.Rules[rule].Rows++
		text := title
		if h.Field == 1 {
			text = description
		}
		s.Rules[rule].words[taxonomy.Fold(text[h.Start:h.End])]++
		if x.weight < 0 {
			against[x.category] = true
			return
		}
		supporters[x.category] = append(supporters[x.category], rule)
		if x.tag != 0 {
			conflict = conflict || s.tags[x.category] != 0 && s.tags[x.category] != x.tag
			s.tags[x.category] = x.tag
		}
	})
	for c, rules := range supporters {
		contested = contested || against[c]
		if len(rules) == 1 && r.Scores[c] > 0 {
			s.Rules[rules[0]].Sole++
		}
	}
	if conflict {
		s.Conflicts++
	}
	if contested {
		s.Contested++
	}
}

// Measure counts what the rules said of a row whose categories and tags are
// known.
func (s *Survey) Measure(r *Result, positive []bool, tags []string) {
	s.fired(r, func(rule int, _ Hit) {
		x, out := &s.m.rules[rule], &s.Rules[rule]
		out.Gold++
		if positive[x.category] == (x.weight > 0) {
			out.Right++
		}
		if x.weight > 0 && x.tag != 0 && positive[x.category] && tags[x.category] != "" {
			out.TagKnown++
			if tags[x.category] == out.Tag {
				out.TagRight++
			}
		}
	})
}

// A rule dominates if it alone makes more than this share of a category of at
// least that many rows and several rules.
const (
	dominatingShare = 0.5
	dominatingRows  = 20
)

// Finish names dead and dominating rules and sorts their words.
func (s *Survey) Finish() {
	rules := make([]int, len(s.Categories)) // of each category
	for _, r := range s.m.rules {
		rules[r.category]++
	}
	for i := range s.Rules {
		r := &s.Rules[i]
		c := s.m.rules[i].category
		r.Dead = r.Rows == 0
		all := s.Categories[c].Rows
		r.Dominating = rules[c] > 1 && all >= dominatingRows && float64(r.Sole) > dominatingShare*float64(all)
		for w, n := range r.words {
			r.Words = append(r.Words, WordCount{w, n})
		}
		slices.SortFunc(r.Words, func(a, b WordCount) int { return cmp.Or(b.Rows-a.Rows, cmp.Compare(a.Word, b.Word)) })
	}
}

// Check says what is wrong with the rules' answer to a test, "" if nothing is.
// r holds the answer afterwards.
func (m *Matcher) Check(r *Result, test taxonomy.Test) string {
	m.MatchIn(r, test.Language, test.Title, test.Description)
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
