// Package taxonomy reads the file that names categories, their tags, and the
// rules that label them: one file, shared by labelling, training, measuring and
// answering. parse.go reads it with all its mistakes at once, check.go finds rules that
// contradict each other, languages.go those of rules of several languages, tests.go reads
// tests of the rules, fold.go says when words are the same. It imports ml/language alone.
package taxonomy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/language"
)

// Taxonomy is a set of categories in the order of the file.
type Taxonomy struct {
	Categories []Category
	Rules      []Rule // of all categories, in the order of the file
	Negation   Negation
	// Single says that a text has exactly one category, or none: `labels: single`.
	// Else it may have any number.
	Single bool
	// Warnings are what looks wrong but can be lived with, in the order of the
	// file. A file that says `strict: true` has problems in their place.
	Warnings []Problem
}

// Negation says which words before a hit undo it: "no fire". The language is the
// file's. A hit does not count if it begins within so many words after one of
// Words, in the same clause; a phrase of Not, "not only", is no negation.
type Negation struct {
	Words, Not []string
	Within     int
}

// Category is one thing a text can be about.
type Category struct {
	Name string
	Doc  string
	Tags []string // Tags[0] is the empty tag
}

// Patterns are words in the forms that a rule may ask for, compared as Fold
// leaves them. Words stand alone; Prefixes begin a word, Suffixes end one; all
// three may be phrases of several words. Compounds begin or end a word and Parts
// lie anywhere in one, with at least three letters, or none, beside them: "brand"
// is in "storbrand", "rån" is not in "från".
type Patterns struct {
	Words, Prefixes, Suffixes, Compounds, Parts []string
}

// Rule says which patterns make a text belong to a category.
type Rule struct {
	// ID is the rule's own; of a rule of a language it begins with that: sv.storm.
	ID       string
	Category int
	// Language is that of the texts on which the rule may fire, as package language calls
	// it; empty is any.
	Language string
	Tag      int // index in the category's tags; 0 is none
	// Weight in (0,1] is how strongly the rule speaks for the category, in
	// [-1,0) how strongly against it.
	Weight float64

	Patterns
	// Not voids the rule if any of it is anywhere in the text; Except voids the
	// hits that it overlaps.
	Not, Except Patterns
	// Negatable rules do not count after a negation.
	Negatable bool

	Line int // in the file
}

// Problem is a mistake in a taxonomy file; Line and Col count from 1.
type Problem struct {
	Line, Col     int
	Message, Hint string
}

// silent begins what is said of a category without rules.
const silent = "no rule speaks for the category "

// Silent reports whether a problem is that a category has no rule that speaks for it, which
// is none where people label the rows.
func (p Problem) Silent() bool { return strings.HasPrefix(p.Message, silent) }

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
	return slices.IndexFunc(t.Categories, func(c Category) bool { return c.Name == name })
}

// TagIndex returns the place of a tag in a category, -1 if it has none such.
func (c Category) TagIndex(tag string) int { return slices.Index(c.Tags, tag) }

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
// be named; the negation stands under its own name. Documentation and the places
// in the file are left out.
func (t *Taxonomy) RulesKey() map[string]any {
	out := map[string]any{}
	negation := len(t.Negation.Words) > 0
	if negation {
		out["negation"] = map[string]any{"words": texts(t.Negation.Words), "not": texts(t.Negation.Not), "within": float64(t.Negation.Within)}
	}
	if len(t.Languages()) > 0 { // what finds out a text's language says which rules fire
		out["languages"] = map[string]any{"detector": float64(language.Version)}
	}
	for i, r := range t.Rules {
		c := t.Categories[r.Category]
		body := map[string]any{"order": float64(i), "weight": r.Weight, "tag": c.Tags[r.Tag]}
		r.Patterns.key(body)
		for name, p := range map[string]Patterns{"not": r.Not, "except": r.Except} {
			sub := map[string]any{}
			if p.key(sub); len(sub) > 0 {
				body[name] = sub
			}
		}
		if negation && !r.Negatable {
			body["negatable"] = false
		}
		if r.Language != "" {
			body["language"] = r.Language
		}
		out[c.Name+"/"+r.ID] = body
	}
	return out
}

// key puts what is there into a map.
func (p Patterns) key(out map[string]any) {
	for _, f := range p.forms() {
		if len(f.entries) > 0 {
			out[f.name] = texts(f.entries)
		}
	}
}

type form struct {
	name    string
	entries []string
}

func (p Patterns) forms() []form {
	return []form{{"words", p.Words}, {"prefixes", p.Prefixes}, {"suffixes", p.Suffixes}, {"compounds", p.Compounds}, {"parts", p.Parts}}
}

// Len counts the entries.
func (p Patterns) Len() int {
	return len(p.Words) + len(p.Prefixes) + len(p.Suffixes) + len(p.Compounds) + len(p.Parts)
}

func texts(s []string) []any {
	out := make([]any, len(s))
	for i, x := range s {
		out[i] = x
	}
	return out
}
