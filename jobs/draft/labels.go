package draft

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"golang.org/x/text/unicode/norm"
)

// labels are the categories of a table, and those of its rows.
type labels struct {
	single bool
	// separator stands between several categories of a cell; empty if a cell has one.
	separator string
	names     []string // of the categories
	texts     []string // what the table calls them
	counts    []int    // of the rows of each
	// columns are the places of those with 0 and 1, one for each category.
	columns []int
	// tags are those of each category, which a column <column>_tag beside its own holds at
	// the place tagColumns; -1 is none.
	tags       [][]string
	tagColumns []int
	// values are the categories by what cells call them, where that is not clear from the
	// name; the empty one is no label.
	values map[string]string
	of     []rowLabel // of the table's rows
	left   []leftOut
	// labelled, none and unlabelled count rows: with a label, of no category, and without.
	labelled, none, unlabelled int
}

type rowLabel struct {
	categories []int
	known      bool
}

// leftOut is a label of too few rows.
type leftOut struct {
	text string
	rows int
}

// readLabels reads the categories of the rows.
func (p *problem) readLabels() error {
	var l *labels
	var err error
	if p.columns.bits {
		l, err = p.readBits()
	} else {
		l, err = p.readCells()
	}
	if err != nil {
		return err
	}
	p.labels = l
	l.count()
	if p.o.Labels != "" {
		l.single = p.o.Labels == "single"
	}
	most := 0
	for _, r := range l.of {
		most = max(most, len(r.categories))
	}
	switch what := shownWord(strings.Join(p.labelColumns(), ", ")); {
	case len(l.names) == 0 || l.single && len(l.names) == 1:
		return stages.Fail(stages.CodePlan, "lower --min-rows, or name another column by --label", "%s: %d labels of column %s have the %d rows that a category needs", p.o.From, len(l.names), what, p.o.MinRows)
	case len(l.names) > mostCategories:
		return &diagnostic.UsageError{Message: fmt.Sprintf("%s: the column %s has %d different labels of at least %d rows, more than %d", p.o.From, what, len(l.names), p.o.MinRows, mostCategories), Hint: "raise --min-rows, or name another column by --label"}
	case l.single && most > 1:
		return &diagnostic.UsageError{Message: fmt.Sprintf("--labels single: rows of %s have several categories", p.o.From), Hint: "leave it out, or say --labels multi"}
	}
	return nil
}

// labelColumns are the names of the columns of labels.
func (p *problem) labelColumns() []string {
	var out []string
	for _, i := range p.columns.label {
		out = append(out, p.t.names[i])
	}
	return out
}

// readBits reads columns that hold 0 and 1, one for each category.
func (p *problem) readBits() (*labels, error) {
	l := &labels{of: make([]rowLabel, len(p.t.rows))}
	taken := map[string]bool{}
	for _, at := range p.columns.label {
		count := 0
		for _, cells := range p.t.rows {
			if isOne(cell(cells, at)) {
				count++
			}
		}
		if count < p.o.MinRows {
			l.left = append(l.left, leftOut{p.t.names[at], count})
			continue
		}
		for i, cells := range p.t.rows {
			v := cell(cells, at)
			if isOne(v) {
				l.of[i].categories = append(l.of[i].categories, len(l.names))
			}
			l.of[i].known = l.of[i].known || strings.TrimSpace(v) != ""
		}
		l.names = append(l.names, newName(p.t.names[at], "label", taken))
		l.texts = append(l.texts, p.t.names[at])
		l.columns = append(l.columns, at)
		if err := p.readTags(l, at); err != nil {
			return nil, err
		}
	}
	l.single = len(l.names) > 1 && !slices.ContainsFunc(l.of, func(r rowLabel) bool { return r.known && len(r.categories) != 1 })
	return l, nil
}

// tagName is what a taxonomy allows as a tag.
var tagName = regexp.MustCompile(`^[a-z0-9][a-z0-9_ -]*$`)

// readTags reads the tags of the category whose column is at a place.
func (p *problem) readTags(l *labels, at int) error {
	column := slices.Index(p.t.names, p.t.names[at]+"_tag")
	l.tagColumns, l.tags = append(l.tagColumns, column), append(l.tags, nil)
	if column < 0 {
		return nil
	}
	found := map[string]bool{}
	for i, cells := range p.t.rows {
		tag := strings.TrimSpace(cell(cells, column))
		switch {
		case tag == "" || !isOne(cell(cells, at)):
		case !tagName.MatchString(tag) || len(tag) > 63:
			return stages.Fail(stages.CodePlan, "write tags in a-z, 0-9, spaces, - and _, or leave the column out", "%s: row %d: %q in column %s is no tag", p.o.From, i+1, tag, shownWord(p.t.names[column]))
		default:
			found[tag] = true
		}
	}
	l.tags[len(l.tags)-1] = slices.Sorted(maps.Keys(found))
	return nil
}

func isOne(cell string) bool {
	cell = strings.TrimSpace(cell)
	return strings.TrimRight(strings.TrimRight(cell, "0"), ".") == "1" && cell[0] == '1' && (len(cell) == 1 || cell[1] == '.')
}

// readCells reads a column whose cells name categories.
func (p *problem) readCells() (*labels, error) {
	at := p.columns.label[0]
	values := p.t.profiles[at].values
	if values == nil {
		return nil, &diagnostic.UsageError{Message: fmt.Sprintf("%s: the column %s has more than %d different values", p.o.From, shownWord(p.t.names[at]), maxValues), Hint: "name a column of labels: --label COLUMN"}
	}
	l := &labels{separator: cmp.Or(p.o.Separator, findSeparator(values)), values: map[string]string{}, of: make([]rowLabel, len(p.t.rows))}
	// Spellings that only case and spaces tell apart are one label, named as most rows are.
	rowsOf, texts := map[string]int{}, map[string]string{}
	for _, v := range slices.Sorted(maps.Keys(values)) {
		for _, part := range l.parts(v) {
			f := rows.Fold(part)
			rowsOf[f] += values[v]
			if texts[f] == "" {
				texts[f] = part
			}
		}
	}
	index, taken := map[string]int{}, map[string]bool{}
	for _, f := range slices.SortedFunc(maps.Keys(rowsOf), func(a, b string) int { return cmp.Or(rowsOf[b]-rowsOf[a], cmp.Compare(a, b)) }) {
		switch {
		case f == rows.None:
		case rowsOf[f] < p.o.MinRows:
			l.left = append(l.left, leftOut{texts[f], rowsOf[f]})
			l.values[texts[f]] = ""
		default:
			name := newName(texts[f], p.t.names[at], taken)
			if name != f {
				l.values[texts[f]] = name
			}
			index[f] = len(l.names)
			l.names = append(l.names, name)
			l.texts = append(l.texts, texts[f])
		}
	}
	several := false
	for i, cells := range p.t.rows {
		r := &l.of[i]
		for _, part := range l.parts(cell(cells, at)) {
			c, ok := index[rows.Fold(part)]
			if ok && !slices.Contains(r.categories, c) {
				r.categories = append(r.categories, c)
			}
			r.known = r.known || ok || rows.Fold(part) == rows.None
		}
		several = several || len(r.categories) > 1
	}
	l.single = !several
	return l, nil
}

// parts are the labels of a cell.
func (l *labels) parts(cell string) []string {
	if l.separator == "" {
		if cell = strings.TrimSpace(cell); cell == "" {
			return nil
		}
		return []string{cell}
	}
	var out []string
	for part := range strings.SplitSeq(cell, l.separator) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func (l *labels) count() {
	l.counts = make([]int, len(l.names))
	for _, r := range l.of {
		switch {
		case !r.known:
			l.unlabelled++
			continue
		case len(r.categories) == 0:
			l.none++
		}
		l.labelled++
		for _, c := range r.categories {
			l.counts[c]++
		}
	}
}

// findSeparator is what parts the categories of a cell: the sign by which cells fall into
// fewer different parts than there are cells. It is empty if none does.
func findSeparator(values map[string]int) string {
	for _, by := range []string{";", "|", ","} {
		parts, several := map[string]bool{}, 0
		for v := range values {
			list := strings.Split(v, by)
			if len(list) > 1 {
				several++
			}
			for _, part := range list {
				parts[rows.Fold(part)] = true
			}
		}
		if several > 0 && len(parts) < len(values) {
			return by
		}
	}
	return ""
}

// called is what the table calls a category of whose text nothing is left in its name, as one
// in other letters than Latin ones; empty for others.
func (l *labels) called(c int) string {
	if slug(l.texts[c]) != "" {
		return ""
	}
	return shownWord(l.texts[c])
}

// reserved are names that mean another column of a file of labels.
var reserved = []string{"url", "id", "title", "description", "source", "domain", "language", "seen_at", "seendate", "title_raw", "label", "label_source", "rules", "conflicts", "split", "reviewer", "time", "note", "notes", "comment", "reasons", "suggested", "similarity", "none"}

// newName is the name of a category that cells call so, and no other one has.
func newName(text, column string, taken map[string]bool) string {
	sign := ""
	if len(text) > 1 && text[0] == '-' && text[1] >= '0' && text[1] <= '9' {
		sign = "minus_"
	}
	name := sign + slug(text)
	switch {
	case name == "":
		name = fmt.Sprintf("category_%d", len(taken)+1)
	case name[0] < 'a' || sign != "":
		name = strings.TrimRight(cmp.Or(strings.TrimLeft(slug(column), "0123456789_"), "label")+"_"+name, "_")
	}
	name = name[:min(len(name), 50)]
	for _, suffix := range []string{"_tag", "_score", "_probability"} {
		if strings.HasSuffix(name, suffix) {
			name += "_class"
		}
	}
	if slices.Contains(reserved, name) {
		name += "_class"
	}
	for base, n := name, 2; taken[name]; n++ {
		name = fmt.Sprintf("%s_%d", base, n)
	}
	taken[name] = true
	return name
}

// slug is a text in a-z, 0-9 and underscores.
func slug(text string) string {
	return strings.Trim(noName.ReplaceAllString(strings.ToLower(plainLetters(text)), "_"), "_")
}

// plainLetters writes letters without their accents.
func plainLetters(text string) string {
	return letters.Replace(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFD.String(text)))
}

// letters are Latin ones that no accent makes.
var letters = strings.NewReplacer("ß", "ss", "æ", "ae", "Æ", "ae", "ø", "o", "Ø", "o", "ł", "l", "Ł", "l", "đ", "d", "Đ", "d", "ı", "i", "œ", "oe", "Œ", "oe")
