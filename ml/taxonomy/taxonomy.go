// Package taxonomy reads the file that names categories, their tags, and the
// rules that label them: one file, shared by labelling, training, measuring and
// answering.
package taxonomy

import (
	"fmt"
)

// Taxonomy is a set of categories in the order of the file.
type Taxonomy struct {
	Categories []Category
	Rules      []Rule // of all categories, in the order of the file
}

// Category is one thing a text can be about.
type Category struct {
	Name string
	Doc  string
	Tags []string // Tags[0] is the empty tag
}

// Rule says which words make a text belong to a category. Words are compared
// without case and whole; Prefixes begin a word, Suffixes end one, Compounds do
// either. Any of them may have several words, then a phrase. If any word of Not
// occurs as well, the rule does not count.
type Rule struct {
	ID       string
	Category int
	Tag      int     // index in the category's tags; 0 is none
	Weight   float64 // in (0,1]: how strongly it speaks for the category

	Words, Prefixes, Suffixes, Compounds, Not []string

	Line int // in the file
}

// Problem is a mistake in a taxonomy file; Line and Col count from 1.
type Problem struct {
	Line, Col     int
	Message, Hint string
}

func (p Problem) String() string { return fmt.Sprintf("%d:%d: %s", p.Line, p.Col, p.Message) }

// Names lists the categories.
func (t *Taxonomy) Names() []string {
	names := make([]string, len(t.Categories))
	for i, c := range t.Categories {
		names[i] = c.Name
	}
	return names
}

// Index returns the place of a category, -1 if there is none of that name.
func (t *Taxonomy) Index(name string) int {
	for i, c := range t.Categories {
		if c.Name == name {
			return i
		}
	}
	return -1
}

// TagIndex returns the place of a tag in a category, -1 if it has none such.
func (c Category) TagIndex(tag string) int {
	for i, t := range c.Tags {
		if t == tag {
			return i
		}
	}
	return -1
}

// CategoriesKey is the part of the taxonomy that shapes a model: names and tags
// in order, as values of encoding/json.
func (t *Taxonomy) CategoriesKey() []any {
	out := make([]any, len(t.Categories))
	for i, c := range t.Categories {
		out[i] = map[string]any{"name": c.Name, "tags": texts(c.Tags)}
	}
	return out
}

// RulesKey is what the rules say, by category and rule id, so that a change can
// be named. Documentation and the places in the file are left out.
func (t *Taxonomy) RulesKey() map[string]any {
	out := map[string]any{}
	for i, r := range t.Rules {
		c := t.Categories[r.Category]
		body := map[string]any{"order": float64(i), "weight": r.Weight, "tag": c.Tags[r.Tag]}
		for name, words := range map[string][]string{"words": r.Words, "prefixes": r.Prefixes, "suffixes": r.Suffixes, "compounds": r.Compounds, "not": r.Not} {
			if len(words) > 0 {
				body[name] = texts(words)
			}
		}
		out[c.Name+"/"+r.ID] = body
	}
	return out
}

func texts(s []string) []any {
	out := make([]any, len(s))
	for i, x := range s {
		out[i] = x
	}
	return out
}
