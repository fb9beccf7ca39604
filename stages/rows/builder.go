package rows

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/stages/rows/table"
	"github.com/sprint-ml/sprint/stages/rows/titles"
)

// score returns a cell as the score of a label, yes and true as 1, no and false as 0; ok
// is false for null and blank text.
func score(c table.Cell) (f float64, ok bool, err error) {
	switch text := c.String(); strings.ToLower(strings.TrimSpace(text)) {
	case "yes", "true":
		return 1, true, nil
	case "no", "false":
		return 0, true, nil
	}
	if f, ok, err = c.Float(); err != nil {
		return 0, false, fmt.Errorf("%q is no number, and neither yes nor no", c.String())
	}
	if ok && (math.IsNaN(f) || f < -1 || f > 1) {
		return 0, false, fmt.Errorf("%v is not in [-1,1]", f)
	}
	return f, ok, err
}

// The places of the columns that every row may have; labels follow.
const (
	atTitle = iota
	atTitleRaw
	atDescription
	atURL
	atSource
	atDomain
	atID
	atSeenAt
	atSeenDate
	atLanguage
	atLabelSource
	atRules
	atConflicts
	atLabel
	atMended
	knownColumns
)

// newColumns are those columns, and what want accepts.
func newColumns(want func(string) bool) *table.Columns {
	return table.NewColumns(want, "title", "title_raw", "description", "url", "source", "domain", "id", "seen_at", "seendate", "language", "label_source", "rules", "conflicts", "label", table.MendedMark)
}

// IsColumn reports whether a column of this name has a meaning in every file of rows.
func IsColumn(name string) bool {
	return newColumns(func(string) bool { return false }).Reads(name)
}

// isLabel reports whether a column holds a part of a label.
func isLabel(column string) bool {
	return strings.HasSuffix(column, "_score") || strings.HasSuffix(column, "_tag")
}

// builder turns records into rows.
type builder struct {
	columns  *table.Columns
	discover bool // records differ in their columns (jsonl)
	budget   *table.Budget
	others   []int // places of columns that are passed on
	cats     []string
	places   []labelPlace
	known    map[string]bool // of cats
	met      map[string]bool // columns that a record had
	// categories are those that may have a column of their own name.
	categories categoryColumns
	stats      Stats
	row        Row     // reused
	labels     []Label // of row, reused
}

// labelPlace says where in a record a label is; -1 is nowhere. plain says that the
// column has the category's own name.
type labelPlace struct {
	score, tag int
	plain      bool
}

func newBuilder(want func(string) bool, budget *table.Budget) *builder {
	return &builder{columns: newColumns(want), budget: budget, known: map[string]bool{}, met: map[string]bool{}}
}

// header adds the categories of a file's columns, in their order.
func (b *builder) header(names []string) {
	if ours, err := b.columns.Ours(names); err == nil { // else the file's reader tells
		b.declareColumns(ours)
	}
}

// otherColumns are the columns that are none of title, url and id, and their places.
func (b *builder) otherColumns(names []string) (others []string, at []int) {
	places, err := b.columns.Places(names)
	if err != nil {
		return nil, nil // the file's reader tells
	}
	for i, place := range places {
		if place >= 0 && place != atTitle && place != atURL && place != atID {
			others, at = append(others, names[i]), append(at, place)
		}
	}
	return others, at
}

// declareColumns adds the categories that column names stand for, in their order.
func (b *builder) declareColumns(names []string) {
	place := func(column string) int {
		if i, ok, err := b.columns.Place(column); ok && err == nil {
			return i
		}
		return -1 // one column too many, of which the file's reader tells
	}
	for _, n := range names {
		c, plain := b.categories.of(n, names)
		if c == "" || b.known[c] {
			continue
		}
		b.known[c] = true
		b.cats = append(b.cats, c)
		b.places = append(b.places, labelPlace{place(n), place(b.categories.tag(c, names)), plain})
	}
}

// discoverColumns adds the categories that only this record has so far.
func (b *builder) discoverColumns(rec *table.Record) {
	var names []string
	for i, n := range b.columns.Names() {
		if i >= knownColumns && rec.At(i).Present() && !b.met[n] {
			b.met[n] = true
			names = append(names, n)
		}
	}
	if names == nil {
		return
	}
	slices.Sort(names)
	b.declareColumns(names)
}

// build makes a row of a record, which is reused for the next one. It has Problem set if
// the record is of no use, and the builder counts why. An error says that the budget is
// spent.
func (b *builder) build(rec *table.Record) (*Row, error) {
	mended := rec.At(atMended).Present()
	text := func(places ...int) string {
		for _, i := range places {
			s := rec.At(i).String()
			if s == "" {
				continue
			}
			if !utf8.ValidString(s) {
				mended = true
				s = strings.ToValidUTF8(s, "\uFFFD")
			}
			return s
		}
		return ""
	}
	title := text(atTitle)
	if err := b.budget.Spend(table.CostTitle * int64(len(title))); err != nil {
		return nil, err
	}
	b.row = Row{
		Title:       titles.Normalize(title),
		TitleRaw:    cmp.Or(text(atTitleRaw), title),
		Description: text(atDescription),
		URL:         text(atURL),
		Source:      text(atSource, atDomain),
		ID:          text(atID),
		SeenAt:      text(atSeenAt, atSeenDate),
		Language:    text(atLanguage),
		LabelSource: text(atLabelSource),
		Label:       text(atLabel),
	}
	r := &b.row
	for _, at := range b.others {
		r.Others = append(r.Others, strings.ToValidUTF8(rec.At(at).String(), "\uFFFD"))
	}
	if rules := text(atRules); rules != "" {
		r.Rules = strings.Split(rules, ";")
	}
	if conflicts := text(atConflicts); conflicts != "" {
		r.Conflicts = strings.Split(conflicts, ";")
	}
	if mended {
		b.stats.Mended++
	}
	if r.Title == "" {
		b.stats.NoTitle++
		return b.bad("no title"), nil
	}
	if b.discover {
		if err := b.budget.Spend(table.CostLabel * int64(len(b.columns.Names())-knownColumns)); err != nil {
			return nil, err
		}
		b.discoverColumns(rec)
	}
	if err := b.label(r, rec); err != nil {
		b.stats.Malformed++
		return b.bad(err.Error()), nil
	}
	return r, nil
}

// bad leaves of the row what names it.
func (b *builder) bad(problem string) *Row {
	b.row = Row{ID: b.row.ID, URL: b.row.URL, Problem: problem}
	return &b.row
}

func (b *builder) label(r *Row, rec *table.Record) error {
	b.labels = slices.Grow(b.labels[:0], len(b.cats))
	any := false
	// A column label goes before columns of some categories' names, which may mean anything.
	labelOnly := r.Label != "" && !b.categories.complete(b.known)
	for i, at := range b.places {
		if at.plain && labelOnly {
			b.labels = append(b.labels, Label{Abstain: true})
			continue
		}
		v := rec.At(at.score)
		any = any || v.Present()
		f, given, err := score(v)
		if err != nil {
			name := b.cats[i]
			if !at.plain {
				name += "_score"
			}
			return fmt.Errorf("%s: %w", name, err)
		}
		b.labels = append(b.labels, Label{Score: f, Abstain: !given, Tag: strings.ToValidUTF8(rec.At(at.tag).String(), "\uFFFD")})
	}
	if any {
		r.Labels = b.labels
	}
	return nil
}
