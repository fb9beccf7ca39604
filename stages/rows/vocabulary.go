package rows

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/stages"
)

// Category is what a label in a file may say: a name, and its tags, of which the first is
// the empty one; any tag if there is no list.
type Category struct {
	Name string
	Tags []string
	// Alone says that a row of it is of no other category.
	Alone bool
}

// has reports whether a category has a tag. Without a list it has any.
func (c Category) has(tag string) bool { return c.Tags == nil || slices.Contains(c.Tags, tag) }

// LabelForm says how a file writes the categories of a row in its column label.
type LabelForm struct {
	// Separator stands between several; empty is ";".
	Separator string
	// Values has categories by what the file calls them: "sports", "crime/theft", "none"
	// for a row of no category, and the empty text for one that nobody labelled.
	Values map[string]string
}

// CheckLabelForm is the problems of the options separator and values below path.
func CheckLabelForm(path string, form LabelForm) []stages.Problem {
	var out stages.Problems
	out.If(!slices.Contains([]string{"", ";", ",", "|"}, form.Separator), path+"separator", "it is ; by default", "%q is none of the separators ; , |", form.Separator)
	for _, text := range slices.Sorted(maps.Keys(form.Values)) {
		out.If(strings.TrimSpace(text) == "", path+"values", "an empty cell says nothing as it is", "values has an empty word")
	}
	return out
}

// None is what a column label says of a row that is of no category.
const None = "none"

// defaultSeparator stands between the categories of a row.
const defaultSeparator = ";"

// tagSign stands between a category and its tag.
const tagSign = "/"

// Vocabulary reads labels as people write them. It is for one goroutine.
type Vocabulary struct {
	categories []Category
	names      []string
	separator  string
	exact      map[string]meaning
	folded     map[string]meaning
	// unclear are folded texts that mean several things.
	unclear map[string]bool
	read    map[string]entry // what was read before
}

// meaning is what a text stands for: a category and perhaps its tag, or one of the signs.
type meaning struct {
	category int // or isNone, isEmpty
	tag      string
}

const (
	isNone  = -1
	isEmpty = -2
)

// entry is a cell that was read.
type entry struct {
	labels []Label
	err    error
}

// maxRead is how many different cells are remembered.
const maxRead = 4096

// UnknownLabel says that a text is no category, or names a tag that its category lacks.
type UnknownLabel struct {
	// Value is the part of the cell that is unknown, as it stands there.
	Value string
	// Meant is what it was perhaps meant to be; empty if nothing is near.
	Meant string
	// For is the text of LabelForm.Values that stands for it; empty if it is of a file.
	For    string
	known  []string // tags; nil if it is about a category
	reason string
}

func (e *UnknownLabel) Error() string { return e.reason }

// NewVocabulary makes the reader of labels of these categories. A value of the form that
// stands for nothing is an UnknownLabel.
func NewVocabulary(categories []Category, form LabelForm) (*Vocabulary, error) {
	v := &Vocabulary{
		categories: categories, separator: form.Separator, exact: map[string]meaning{}, folded: map[string]meaning{},
		unclear: map[string]bool{}, read: map[string]entry{},
	}
	if v.separator == "" {
		v.separator = defaultSeparator
	}
	for i, c := range categories {
		v.names = append(v.names, c.Name)
		v.learn(c.Name, meaning{category: i})
	}
	if _, taken := v.folded[None]; !taken {
		v.learn(None, meaning{category: isNone})
	}
	targets := map[string]meaning{}
	for _, text := range slices.Sorted(maps.Keys(form.Values)) {
		m := meaning{category: isEmpty}
		if target := strings.TrimSpace(form.Values[text]); target != "" {
			var err error
			if m, err = v.meaning(target); err != nil {
				if unknown, ok := errors.AsType[*UnknownLabel](err); ok {
					unknown.For = text
				}
				return nil, err
			}
		}
		targets[text] = m
	}
	for text, m := range targets { // what the file says goes before the names
		v.exact[text] = m
		delete(v.unclear, Fold(text))
		v.folded[Fold(text)] = m
	}
	for text := range targets {
		for other, m := range targets {
			if Fold(other) == Fold(text) && m != targets[text] {
				v.unclear[Fold(text)] = true
			}
		}
	}
	return v, nil
}

func (v *Vocabulary) learn(text string, m meaning) {
	if _, twice := v.folded[Fold(text)]; twice {
		v.unclear[Fold(text)] = true
	}
	v.exact[text], v.folded[Fold(text)] = m, m
}

// Fold leaves of a label what is compared: lower case, with an underscore for spaces,
// dashes and underscores.
func Fold(text string) string {
	text = strings.ToLower(strings.TrimSpace(text))
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '\u00a0' {
			return '_'
		}
		return r
	}, text)
}

// Parse reads a cell of a column label: a label for each category, present with Score 1,
// absent with 0. It returns nil for a cell that says nothing. The caller does not change
// what it gets.
func (v *Vocabulary) Parse(cell string) ([]Label, error) {
	if e, known := v.read[cell]; known {
		return e.labels, e.err
	}
	var e entry
	e.labels, e.err = v.parse(cell)
	if len(v.read) < maxRead {
		v.read[strings.Clone(cell)] = e
	}
	return e.labels, e.err
}

func (v *Vocabulary) parse(cell string) ([]Label, error) {
	parts := strings.Split(cell, v.separator)
	if _, whole := v.exact[strings.TrimSpace(cell)]; whole {
		parts = []string{cell} // a value may hold the separator
	}
	labels := make([]Label, len(v.categories))
	said, none := false, false
	for _, part := range parts {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		m, err := v.meaning(part)
		if err != nil {
			return nil, err
		}
		if m.category == isEmpty {
			continue
		}
		none = none || m.category == isNone
		if said && none {
			return nil, fmt.Errorf("%q says %s and a category", cell, None)
		}
		said = true
		if m.category == isNone {
			continue
		}
		l := &labels[m.category]
		if l.Tag != "" && m.tag != "" && l.Tag != m.tag {
			return nil, fmt.Errorf("%q gives category %s two tags, %s and %s", cell, v.categories[m.category].Name, l.Tag, m.tag)
		}
		l.Score = 1
		if m.tag != "" {
			l.Tag = m.tag
		}
	}
	if !said {
		return nil, nil
	}
	return labels, nil
}

// meaning is that of one part of a cell.
func (v *Vocabulary) meaning(text string) (meaning, error) {
	if m, ok, err := v.whole(text); ok || err != nil {
		return m, err
	}
	name, tag, tagged := strings.Cut(text, tagSign)
	if !tagged {
		return meaning{}, v.unknown(text, text)
	}
	m, ok, err := v.whole(strings.TrimSpace(name))
	switch {
	case err != nil:
		return m, err
	case !ok || m.category < 0:
		return m, v.unknown(text, strings.TrimSpace(name))
	}
	var unknown *UnknownLabel
	if m.tag, unknown = v.tag(m.category, strings.TrimSpace(tag)); unknown != nil {
		unknown.Value = text
		if unknown.Meant != "" {
			unknown.Meant = v.names[m.category] + tagSign + unknown.Meant
		}
		return m, unknown
	}
	return m, nil
}

// whole looks a text up that names a category without a tag, or that the form knows.
func (v *Vocabulary) whole(text string) (m meaning, ok bool, err error) {
	if m, ok = v.exact[text]; ok {
		return m, true, nil
	}
	folded := Fold(text)
	if v.unclear[folded] {
		return m, false, fmt.Errorf("%q may mean several categories: write the name as it stands in the taxonomy", text)
	}
	m, ok = v.folded[folded]
	return m, ok, nil
}

// tag finds a tag of a category, exactly or folded.
func (v *Vocabulary) tag(category int, text string) (string, *UnknownLabel) {
	c := v.categories[category]
	if c.has(text) {
		return text, nil
	}
	var found []string
	for _, t := range c.Tags {
		if t != "" && Fold(t) == Fold(text) {
			found = append(found, t)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return "", unknownTag(c, text)
}

// unknownTag is the mistake of a tag that a category does not have.
func unknownTag(c Category, text string) *UnknownLabel {
	meant, _ := diagnostic.Nearest(Fold(text), c.Tags)
	return &UnknownLabel{Value: text, Meant: meant, known: c.Tags, reason: fmt.Sprintf("category %s has no tag %q", c.Name, text)}
}

func (v *Vocabulary) unknown(value, name string) *UnknownLabel {
	meant, _ := diagnostic.Nearest(Fold(name), v.names)
	return &UnknownLabel{Value: value, Meant: meant, reason: fmt.Sprintf("%q is no category", value)}
}
