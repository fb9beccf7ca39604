package rows

import (
	"slices"
	"strings"
)

// categoryColumns finds the columns of a file that hold labels: <category>_score and
// <category>_tag of any category, and the plain names of those that the layout lists.
type categoryColumns struct {
	names  []string
	folded map[string]string // category by its folded name
}

func newCategoryColumns(l Layout) categoryColumns {
	c := categoryColumns{names: l.Categories, folded: map[string]string{}}
	for _, name := range l.Categories {
		if !slices.Contains(plainColumns, name) && !isLabel(name) {
			c.folded[Fold(name)] = name
		}
	}
	return c
}

// want reports whether a column may hold a part of a label.
func (c categoryColumns) want(column string) bool {
	_, plain := c.folded[Fold(column)]
	return plain || isLabel(column)
}

// canonical is the category that a file calls so.
func (c categoryColumns) canonical(name string) string {
	if own, ok := c.folded[Fold(name)]; ok {
		return own
	}
	return name
}

// of is the category whose score stands in a column; empty if it is none, or if another
// of the file's columns holds it: <category>_score goes before the plain name.
func (c categoryColumns) of(column string, all []string) (category string, plain bool) {
	if base, ok := strings.CutSuffix(column, "_score"); ok && base != "" {
		return c.canonical(base), false
	}
	category, plain = c.folded[Fold(column)]
	scored := func(n string) bool { return Fold(n) == Fold(category)+"_score" }
	if !plain || slices.ContainsFunc(all, scored) {
		return "", false
	}
	return category, true
}

// tag is the name of the column that holds a category's tag.
func (c categoryColumns) tag(category string, all []string) string {
	name := category + "_tag"
	if i := slices.IndexFunc(all, func(n string) bool { return Fold(n) == Fold(name) }); i >= 0 && !slices.Contains(all, name) {
		return all[i]
	}
	return name
}

// complete reports whether every category of the layout has a column.
func (c categoryColumns) complete(known map[string]bool) bool {
	return !slices.ContainsFunc(c.names, func(n string) bool { return !known[n] })
}
