package rows

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/stages/rows/table"
)

// Mistake is what is wrong with a file that people labelled, or odd about it.
type Mistake struct {
	// Row counts the file's records from 1; 0 is the file as a whole, or its header.
	Row int
	// Column is the column's name in the file, Cell what stands there; empty if it is
	// about neither.
	Column, Cell  string
	Message, Hint string
}

func (m Mistake) String() string {
	if m.Row == 0 {
		return m.Message
	}
	return fmt.Sprintf("row %d: %s", m.Row, m.Message)
}

// Mistakes are all of a file, as far as it was read.
type Mistakes []Mistake

// told is how many mistakes an error tells.
const told = 3

func (m Mistakes) Error() string {
	var texts []string
	for i, x := range m {
		if i == told {
			texts = append(texts, fmt.Sprintf("and %d more", len(m)-i))
			break
		}
		texts = append(texts, x.String())
	}
	return strings.Join(texts, "; ")
}

// maxMistakes ends the reading of a file: one of the wrong sort has one in every row.
const maxMistakes = 100

var errEnough = errors.New("too many mistakes")

// plainColumns are the columns of a file of labels that are no categories.
var plainColumns = []string{"url", "id", "title", "description", "source", "domain", "language", "seen_at", "seendate", "title_raw", "label", "label_source", "rules", "conflicts", "split", "reviewer", "time", "note", "notes", "comment", "reasons", "suggested", "similarity"}

// labelledFile reads the records of a file that people labelled, a gold set or an overlay.
type labelledFile struct {
	layout     Layout
	categories []Category // nil: labels are not read
	vocabulary *Vocabulary
	partial    bool // categories may be without a column
	builder    *builder
	mistakes   Mistakes
	odd        Mistakes
	names      map[string]string // ours, by the file's name
	form       *form
	formOf     []string        // the columns for which form was found
	seen       map[string]bool // columns that odd tells of
	number     int             // of the record
	sets       labelSets
}

// form says in which columns of a file the labels are.
type form struct {
	label string // the column of all categories; else these, empty if there is none
	// value and tag are columns by category.
	value, tag []string
}

func newLabelledFile(layout Layout, categories []Category, partial bool) (*labelledFile, error) {
	f := &labelledFile{layout: layout, categories: categories, partial: partial, builder: newBuilder(nil, &Budget{}), names: map[string]string{}, seen: map[string]bool{}}
	for ours, theirs := range layout.Columns {
		if ours == published {
			ours = "seen_at"
		}
		f.names[theirs] = ours
	}
	var err error
	f.vocabulary, err = NewVocabulary(categories, layout.Labels)
	return f, err
}

// ours are our names of some columns of the file. A name that the layout gives to another
// column of the file means nothing here.
func (f *labelledFile) ours(names []string) (ours []string, theirs map[string]string) {
	theirs = map[string]string{}
	for _, n := range names {
		if mine, ok := f.names[n]; ok {
			theirs[mine] = n
		}
	}
	for _, n := range names {
		if _, mapped := f.names[n]; mapped {
			continue
		}
		mine := n
		for _, other := range []string{Fold(n), strings.ToLower(n), n} {
			if f.known(other) {
				mine = other
			}
		}
		if _, taken := theirs[mine]; !taken || mine == n && f.names[theirs[mine]] == "" {
			theirs[mine] = n
		}
	}
	return slices.Sorted(maps.Keys(theirs)), theirs
}

func (f *labelledFile) known(name string) bool {
	base := strings.TrimSuffix(strings.TrimSuffix(name, "_tag"), "_score")
	return slices.Contains(plainColumns, name) || slices.ContainsFunc(f.categories, func(c Category) bool { return c.Name == base || c.Name == name })
}

// find finds out where the labels are, from the names of a file's columns or of a
// record's.
func (f *labelledFile) find(names []string) *form {
	if f.form != nil && slices.Equal(names, f.formOf) {
		return f.form
	}
	f.formOf = slices.Clone(names)
	ours, theirs := f.ours(names)
	out := &form{label: theirs["label"], value: make([]string, len(f.categories)), tag: make([]string, len(f.categories))}
	var missing []string
	there := 0
	for i, c := range f.categories {
		if out.value[i] = theirs[c.Name]; out.value[i] == "" {
			out.value[i] = theirs[c.Name+"_score"]
		}
		out.tag[i] = theirs[c.Name+"_tag"]
		if out.value[i] == "" {
			missing = append(missing, c.Name)
		} else {
			there++
		}
	}
	switch {
	case there > 0 && (len(missing) == 0 || f.partial):
		if out.label != "" {
			f.note(out.label, "column %s is not read: the categories have columns of their own", out.label)
			out.label = ""
		}
	case out.label != "":
		for i := range f.categories {
			if out.value[i] != "" {
				f.note(out.value[i], "column %s is not read: the column %s says the categories", out.value[i], out.label)
			}
		}
	}
	before := len(f.mistakes)
	if f.categories != nil {
		f.stray(ours, theirs)
	}
	lacking := len(missing) > 0 && (there == 0 || !f.partial) && out.label == ""
	if lacking && len(f.mistakes) == before && !(f.partial && f.layout.Format == JSONL) { // a record may correct nothing
		f.missing(missing[0], names)
	}
	return out
}

// missing tells of a category that has no column.
func (f *labelledFile) missing(category string, names []string) {
	var strange []string
	for _, n := range names {
		if !f.known(n) && n != "" {
			strange = append(strange, n)
		}
	}
	meant := ""
	if best, ok := diagnostic.Nearest(category, strange); ok {
		meant = fmt.Sprintf("; is it the column %q?", best)
	}
	f.fail(Mistake{Message: fmt.Sprintf("no column %s, and none called label, says which rows are of this category; the columns are %s%s", category, brief(names), meant),
		Hint: f.forms()})
}

// forms says how labels may stand in a file.
func (f *labelledFile) forms() string {
	name := "CATEGORY"
	if len(f.categories) > 0 {
		name = f.categories[0].Name
	}
	return fmt.Sprintf("labels stand in one column label (%s, or several joined by %q), or in a 0/1 column of each category, %s, with its tag in %s_tag", name, f.vocabulary.separator, name, name)
}

// stray tells of columns that nobody reads. In corrections they are mistakes: each
// column is there to correct something.
func (f *labelledFile) stray(ours []string, theirs map[string]string) {
	for _, n := range ours {
		base := strings.TrimSuffix(strings.TrimSuffix(n, "_tag"), "_score")
		_, beside := theirs[base]
		if f.known(n) || strings.TrimSpace(n) == "" || beside && base != n {
			continue
		}
		hint := ""
		if best, ok := diagnostic.Nearest(Fold(base), f.vocabulary.names); ok {
			hint = fmt.Sprintf("did you mean %q?", best)
		}
		message := fmt.Sprintf("column %s is no category (%s)", theirs[n], brief(f.vocabulary.names))
		if f.partial && !f.seen[n] {
			f.seen[n] = true
			f.fail(Mistake{Column: theirs[n], Message: message + ", nor one that corrections have (url, id, title, label, reviewer, time, note)", Hint: hint})
		}
		f.noteHint(theirs[n], hint, "%s; it is ignored", message)
	}
}

func (f *labelledFile) note(column, format string, args ...any) {
	f.noteHint(column, "", format, args...)
}

func (f *labelledFile) noteHint(column, hint, format string, args ...any) {
	if !f.seen[column] && len(f.odd) < maxMistakes {
		f.seen[column] = true
		f.odd = append(f.odd, Mistake{Column: column, Message: fmt.Sprintf(format, args...), Hint: hint})
	}
}

func (f *labelledFile) fail(m Mistake) { f.mistakes = append(f.mistakes, m) }

// brief lists names, at most the first ones.
func brief(names []string) string {
	const most = 8
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// each visits the records of a file that can be read, after prepare had a look at them.
// header is told our names of the columns. Mistakes are collected, and are the error at
// the end.
func (f *labelledFile) each(r io.Reader, header func(names []string), prepare func(rec *table.Record), visit func(rec *table.Record, row *Row) error) error {
	limits := usual(f.builder.budget)
	known := func(names []string) {
		f.form = f.find(names)
		header(f.header(names))
	}
	err := each(r, f.layout.Format, limits, f.builder.columns, known, func(rec *table.Record, problem string) error {
		f.number++
		f.builder.stats.Read++
		switch {
		case len(f.mistakes) >= maxMistakes, f.layout.Format != JSONL && f.number == 1 && len(f.mistakes) > 0:
			return errEnough
		case problem != "":
			f.fail(Mistake{Row: f.number, Message: problem})
			return nil
		}
		if f.layout.Format == JSONL {
			f.form = f.find(recordColumns(rec))
			if f.number == 1 {
				header(f.header(recordColumns(rec)))
			}
			if len(f.mistakes) > 0 && f.mistakes[len(f.mistakes)-1].Row == 0 {
				return errEnough
			}
		}
		f.rename(rec)
		prepare(rec)
		row, err := f.builder.build(rec)
		if err != nil {
			return err
		}
		return visit(rec, row)
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	if len(f.mistakes) > 0 {
		return f.mistakes
	}
	return nil
}

// rename moves the cells of columns that the layout names, or that only case tells apart,
// to where ours are.
func (f *labelledFile) rename(rec *table.Record) {
	for theirs, ours := range f.names {
		cell := rec.Get(theirs)
		if place, ok, err := rec.Place(ours); cell.Present() && ok && err == nil {
			rec.Set(place, cell)
		}
	}
}

// labels reads those of a record. They are nil if it says nothing of any category, and
// those of which it says nothing abstain. ok is false after a mistake.
func (f *labelledFile) labels(rec *table.Record) (labels []Label, ok bool) {
	if f.form.label != "" {
		return f.ofLabel(rec)
	}
	before, said := len(f.mistakes), false
	labels = make([]Label, len(f.categories))
	for i, c := range f.categories {
		cell := rec.Get(f.form.value[i])
		score, given, err := score(cell)
		if err != nil {
			f.fail(Mistake{Row: f.number, Column: f.form.value[i], Cell: cell.String(), Message: fmt.Sprintf("column %s: %v", f.form.value[i], err)})
			continue
		}
		tag := strings.TrimSpace(strings.ToValidUTF8(rec.Get(f.form.tag[i]).String(), "\uFFFD"))
		if !c.has(tag) {
			f.fail(f.at(f.form.tag[i], tag, unknownTag(c, tag)))
			continue
		}
		if labels[i] = (Label{Score: score, Abstain: !given}); given {
			labels[i].Tag = tag
		}
		said = said || given
	}
	if !said {
		labels = nil
	}
	return labels, len(f.mistakes) == before
}

func (f *labelledFile) ofLabel(rec *table.Record) (labels []Label, ok bool) {
	text := strings.ToValidUTF8(rec.Get("label").String(), "\uFFFD")
	if cell := rec.Get(f.form.label); cell.Present() {
		text = strings.ToValidUTF8(cell.String(), "\uFFFD")
	}
	labels, err := f.vocabulary.Parse(text)
	if err != nil {
		f.fail(f.at(f.form.label, text, err))
		return nil, false
	}
	before := len(f.mistakes)
	labels = slices.Clone(labels)
	for i, c := range f.categories {
		if labels == nil || f.form.tag[i] == "" || labels[i].Score == 0 {
			continue
		}
		tag := strings.TrimSpace(rec.Get(f.form.tag[i]).String())
		switch {
		case tag == "" || tag == labels[i].Tag:
		case !c.has(tag):
			f.fail(f.at(f.form.tag[i], tag, unknownTag(c, tag)))
		case labels[i].Tag != "":
			f.fail(Mistake{Row: f.number, Column: f.form.tag[i], Cell: tag, Message: fmt.Sprintf("column %s says %s, column %s says %s", f.form.tag[i], tag, f.form.label, text)})
		}
		if labels[i].Tag == "" {
			labels[i].Tag = tag
		}
	}
	return labels, len(f.mistakes) == before
}

// at is a mistake of a cell of the record.
func (f *labelledFile) at(column, cell string, err error) Mistake {
	m := Mistake{Row: f.number, Column: column, Cell: cell, Message: fmt.Sprintf("column %s: %v", column, err)}
	var unknown *UnknownLabel
	if errors.As(err, &unknown) {
		m.Hint = "the categories are " + brief(f.vocabulary.names) + ", and none; another word for one is told by values: {WORD: CATEGORY}"
		if unknown.known != nil {
			m.Hint = "its tags: " + strings.TrimPrefix(strings.Join(unknown.known, ", "), ", ")
		}
		if unknown.Meant != "" {
			m.Hint = fmt.Sprintf("did you mean %q?", unknown.Meant)
		}
	}
	return m
}

// recordColumns are the names of the columns that a record has.
func recordColumns(rec *table.Record) []string {
	var names []string
	for i, n := range rec.Names() {
		if rec.At(i).Present() && i != atMended {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

// HintOf is the next step after an error of a file, another one if it has none.
func HintOf(err error, otherwise string) string {
	var list Mistakes
	if errors.As(err, &list) {
		for _, m := range list {
			if m.Hint != "" {
				return m.Hint
			}
		}
	}
	return otherwise
}
