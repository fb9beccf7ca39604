package draft

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

// columns are the places of the columns that mean something; -1 is none.
type columns struct {
	title, description, id, url int
	// language is the column that names each row's language.
	language int
	// label is the column of labels, or several with 0 and 1.
	label []int
	// bits says that label are columns with 0 and 1.
	bits bool
	// doubted are other columns that could be the label as well: no name told which is.
	doubted []string
}

// A column of labels has few values, each in many rows.
const (
	mostCategories = 100
	longestLabel   = 60 // bytes of a label's text on average
	rowsForEach    = 4
)

func chooseColumns(t *surveyed, o *Options) (columns, error) {
	c := columns{title: -1, description: -1, id: -1, url: -1, language: -1}
	var err error
	if err = c.chooseLabel(t, o); err != nil {
		return c, err
	}
	if err = c.chooseText(t, o); err != nil {
		return c, err
	}
	if c.id = c.first(t, idNames); o.ID != "" {
		c.id, err = t.named("id", o.ID)
	}
	if c.id >= 0 && o.ID == "" && t.profiles[c.id].distinct < min(len(t.rows), maxValues) {
		c.id = -1 // it says nothing about which row it is
	}
	c.url = c.first(t, urlNames)
	if c.language = c.first(t, langNames); c.language >= 0 && !t.profiles[c.language].namesLanguages() {
		c.language = -1
	}
	if err == nil {
		err = c.distinct(t)
	}
	return c, err
}

// distinct refuses a table in which a column that counts is there twice, as fetch would.
func (c *columns) distinct(t *surveyed) error {
	for _, n := range t.written.Twice {
		if i := t.column(n); rows.IsColumn(n) || i >= 0 && !c.free(i) {
			return stages.Fail(stages.CodePlan, "rename one in its header, so that the other one counts", "%s has two columns called %s", t.path, n)
		}
	}
	return nil
}

// longestLanguage is the bytes of a language's name: Norwegian Nynorsk.
const longestLanguage = 20

// namesLanguages reports whether a column may hold a language in each row: short words, of
// which there are few. One alone is a language too.
func (p *profile) namesLanguages() bool {
	return p.values != nil && p.numbers == 0 && p.distinct <= mostCategories && p.mean() >= 2 && p.mean() <= longestLanguage
}

// free reports whether a column means nothing yet.
func (c *columns) free(i int) bool {
	return i >= 0 && i != c.title && i != c.description && i != c.id && i != c.url && i != c.language && !slices.Contains(c.label, i)
}

// first is the first column of some names that means nothing yet.
func (c *columns) first(t *surveyed, names []string) int {
	for _, n := range names {
		if i := t.meaning(n); c.free(i) && t.profiles[i].filled > 0 {
			return i
		}
	}
	return -1
}

// chooseText chooses the title, and the description where there are two texts.
func (c *columns) chooseText(t *surveyed, o *Options) (err error) {
	if o.Description != "" && o.Description != None {
		if c.description, err = t.named("description", o.Description); err != nil {
			return err
		}
	}
	if o.Text != "" {
		c.title, err = t.named("text", o.Text)
		return err
	}
	head, body := c.texts(t, headNames), c.texts(t, bodyNames)
	switch {
	case head >= 0:
		c.title = head
		if o.Description == "" && body >= 0 {
			c.description = body
		}
	case body >= 0:
		c.title = body
	default:
		for i := range t.names {
			if c.free(i) && t.profiles[i].isText() && (c.title < 0 || t.profiles[i].mean() > t.profiles[c.title].mean()) {
				c.title = i
			}
		}
	}
	if c.title < 0 || t.profiles[c.title].mean() < 3 {
		return &diagnostic.UsageError{Message: fmt.Sprintf("%s has the columns %s, and none looks like text", t.path, strings.Join(t.shown(), ", ")), Hint: "name it: --text COLUMN"}
	}
	if o.Ask == nil {
		return nil
	}
	name, err := o.Ask("Which column is the text?", "--text", t.names[c.title], t.shown())
	if err != nil || name == t.names[c.title] {
		return err
	}
	c.description = -1
	c.title, err = t.named("text", name)
	return err
}

// texts is the first column of some names that holds texts.
func (c *columns) texts(t *surveyed, names []string) int {
	return c.first(t, slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		i := t.meaning(n)
		return i < 0 || t.profiles[i].mean() < 6 || !t.profiles[i].isText()
	}))
}

// chooseLabel chooses the columns of labels.
func (c *columns) chooseLabel(t *surveyed, o *Options) error {
	if len(o.Label) == 0 {
		o.Label = c.guessLabel(t, o.Text)
		if o.Ask != nil {
			c.doubted = nil // who is asked says which
			proposed := cmp.Or(strings.Join(o.Label, ","), None)
			name, err := o.Ask("Which column is the label, or which of 0 and 1 are, with a comma between?", "--label", proposed, append(t.shown(), None))
			if err != nil {
				return err
			}
			if name != proposed {
				o.Label = strings.Split(name, ",")
			}
		}
	}
	if len(o.Label) == 1 && o.Label[0] == None && t.column(None) < 0 {
		return nil
	}
	for _, name := range o.Label {
		i, err := t.named("label", strings.TrimSpace(name))
		if err != nil {
			return err
		}
		c.label = append(c.label, i)
	}
	if len(c.label) == 0 {
		return nil
	}
	bits := !slices.ContainsFunc(c.label, func(i int) bool { return !t.profiles[i].binary() })
	if c.bits = bits && !(len(c.label) == 1 && slices.Contains(labelNames, plainName(o.Label[0]))); !c.bits && len(c.label) > 1 {
		return &diagnostic.UsageError{Message: fmt.Sprintf("--label %s: several columns of labels hold 0 and 1 alone", strings.Join(o.Label, ",")), Hint: "name one column whose cells name the category"}
	}
	if p := &t.profiles[c.label[0]]; p.filled == 0 {
		return stages.Fail(stages.CodePlan, "name another column, or `--label none`", "%s: the column %s is empty", t.path, shownWord(t.names[c.label[0]]))
	}
	return nil
}

// binary reports whether a column holds 0 and 1 alone, and both.
func (p *profile) binary() bool {
	return p.filled > 0 && p.bits == p.filled && p.distinct >= 2
}

// guessLabel is the columns that look like labels: one of a usual name, else those with 0
// and 1, else the one of fewest values.
func (c *columns) guessLabel(t *surveyed, text string) []string {
	for _, n := range labelNames {
		if i := t.meaning(n); i >= 0 && t.names[i] != text && t.profiles[i].categorical() {
			return []string{t.names[i]}
		}
	}
	var bits, likely []string
	best := -1
	for i, n := range t.names {
		p := &t.profiles[i]
		switch plain := plainName(n); {
		case n == text || slices.Contains(otherNames, plain) || slices.Contains(idNames, plain):
		case p.binary():
			bits = append(bits, n)
		case p.numbers == 0 && p.categorical() && p.distinct <= mostCategories/4 && p.mean() <= longestLabel/2:
			likely = append(likely, n)
			if best < 0 || p.distinct < t.profiles[best].distinct {
				best = i
			}
		}
	}
	switch {
	case len(bits) > 0:
		return bits
	case best >= 0:
		c.doubted = slices.DeleteFunc(likely, func(n string) bool { return n == t.names[best] })
		return []string{t.names[best]}
	}
	return nil
}

// categorical reports whether a column has few values.
func (p *profile) categorical() bool {
	return p.values != nil && p.distinct >= 2 && p.distinct*rowsForEach <= p.filled && p.mean() <= longestLabel
}
