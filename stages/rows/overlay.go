package rows

import (
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/stages/rows/table"
)

// Correction is what a reviewer said about one row. Labels that abstain are
// those that the reviewer left alone.
type Correction struct {
	// Row names the row by url, id or title, and holds the labels.
	Row
	Reviewer string
	Note     string // of the reviewer, free text
	// Time is zero if the file does not say.
	Time time.Time
	// Number counts the file's records from 1, for messages.
	Number int
}

// ReadOverlay reads a file of corrections: url, id or title, and labels in one of the
// forms of ReadGold, where a score in [-1,1] stands for 0 and 1 too. An empty cell, or a
// category without a column, is not corrected. reviewer, time (RFC 3339) and note are
// optional; another column is a mistake. All mistakes come together, as Mistakes. Several
// corrections of one row stay several. Cells are read as CellText has them.
func ReadOverlay(r io.Reader, layout Layout, categories []Category) ([]Correction, error) {
	var out []Correction
	err := EachCorrection(r, layout, categories, func(c *Correction) { out = append(out, *c) })
	return out, err
}

// EachCorrection visits the corrections of a file as ReadOverlay reads them, those before
// a mistake too. A correction is the visitor's to keep, and not to change: several may have
// their labels in common.
func EachCorrection(r io.Reader, layout Layout, categories []Category, visit func(*Correction)) error {
	f, err := newLabelledFile(layout, categories, true)
	if err != nil {
		return err
	}
	named := false
	prepare := func(rec *table.Record) {
		for i, cell := range rec.Cells {
			if s := cell.String(); table.Unquote(s) != s {
				rec.Set(i, table.Text(table.Unquote(s)))
			}
		}
		named = rec.First("url", "id", "title") != ""
		if rec.First("title") == "" {
			rec.Set(atTitle, table.Text("-")) // the builder wants one; url or id name the row
		}
	}
	return f.each(r, func([]string) {}, prepare, func(rec *table.Record, row *Row) error {
		switch {
		case !named:
			f.fail(Mistake{Row: f.number, Message: "it has no url, id or title: which row does it mean?"})
			return nil
		case row.Problem != "":
			f.fail(Mistake{Row: f.number, Message: row.Problem})
			return nil
		}
		c, ok := f.correction(rec, *row)
		if !ok {
			return nil
		}
		visit(&c)
		return f.builder.budget.Keep(c.size() + int64(len(c.Reviewer)+len(c.Note)))
	})
}

func (f *labelledFile) correction(rec *table.Record, row Row) (c Correction, ok bool) {
	if row.Title == "-" {
		row.Title = ""
	}
	c = Correction{Row: row, Reviewer: strings.TrimSpace(rec.First("reviewer")), Note: rec.First("note"), Number: f.number}
	if t := strings.TrimSpace(rec.First("time")); t != "" {
		var err error
		if c.Time, err = time.Parse(time.RFC3339, t); err != nil {
			f.fail(Mistake{Row: f.number, Column: "time", Cell: t, Message: fmt.Sprintf("the time %q is not written as 2006-01-02T15:04:05Z", t)})
			return c, false
		}
	}
	c.Label = "" // it is read into Labels
	if c.Labels, ok = f.labels(rec); ok && c.Labels == nil {
		c.Labels = slices.Repeat([]Label{{Abstain: true}}, len(f.categories))
	}
	c.Labels = f.sets.same(c.Labels)
	return c, ok
}

// labelSets are the labels of rows that were met before: of millions most say the same. The zero value is ready.
type labelSets struct {
	known map[string][]Label
	key   []byte // reused
}

// same is one slice for all equal labels.
func (s *labelSets) same(labels []Label) []Label {
	s.key = s.key[:0]
	for _, l := range labels {
		s.key = strconv.AppendFloat(s.key, l.Score, 'g', -1, 64)
		s.key = strconv.AppendBool(append(s.key, ' '), l.Abstain)
		s.key = strconv.AppendQuote(s.key, l.Tag)
	}
	if known, ok := s.known[string(s.key)]; ok {
		return known
	}
	if s.known == nil {
		s.known = map[string][]Label{}
	}
	if len(s.known) < maxRead {
		s.known[string(s.key)] = labels
	}
	return labels
}

// IsAhead reports whether a correction is dated more than a day after now, by a
// clock that is wrong or by mistake: until then no later review counts. A day is more
// than the time zones are apart.
func (c *Correction) IsAhead(now time.Time) bool { return c.Time.After(now.Add(24 * time.Hour)) }

// Ahead returns the first correction of which IsAhead is true.
func Ahead(list []Correction, now time.Time) (c *Correction, ok bool) {
	i := slices.IndexFunc(list, func(c Correction) bool { return c.IsAhead(now) })
	if i < 0 {
		return nil, false
	}
	return &list[i], true
}

// Texts are the columns that say more of a row than its name, those of them that one of
// some rows has.
type Texts []string

// TextsOf finds them.
func TextsOf(all iter.Seq[*Row]) Texts {
	var out Texts
	for _, name := range []string{"description", "language", "seen_at"} {
		for r := range all {
			if r.text(name) != "" {
				out = append(out, name)
				break
			}
		}
	}
	return out
}

// Cells are a row's, as a csv has them: none is a formula to a spreadsheet.
func (t Texts) Cells(r *Row) []string {
	var out []string
	for _, name := range t {
		out = append(out, table.Quote(r.text(name)))
	}
	return out
}

// text is a row's cell of a column of Texts.
func (r *Row) text(column string) string {
	switch column {
	case "description":
		return r.Description
	case "language":
		return r.Language
	}
	return r.SeenAt
}

// WriteOverlay writes corrections as csv, in the columns that ReadOverlay reads: what is
// needed to train on a row that nobody fetches again is there, and the column note if one
// has a note. No text in it is a formula to a spreadsheet.
func WriteOverlay(w io.Writer, corrections []Correction, categories []string) error {
	out := csv.NewWriter(w)
	texts := TextsOf(func(yield func(*Row) bool) {
		for i := range corrections {
			if !yield(&corrections[i].Row) {
				return
			}
		}
	})
	head := append([]string{"url", "id", "title"}, texts...)
	for _, c := range categories {
		head = append(head, c, c+"_tag") // a category begins with a letter
	}
	head = append(head, "reviewer", "time")
	notes := slices.ContainsFunc(corrections, func(c Correction) bool { return c.Note != "" })
	if notes {
		head = append(head, "note")
	}
	if err := out.Write(head); err != nil {
		return err
	}
	for _, c := range corrections {
		rec := append([]string{table.Quote(c.URL), table.Quote(c.ID), table.Quote(c.Title)}, texts.Cells(&c.Row)...)
		for _, l := range c.Labels {
			rec = append(rec, ScoreText(l), table.Quote(l.Tag))
		}
		at := ""
		if !c.Time.IsZero() {
			at = c.Time.UTC().Format(time.RFC3339)
		}
		rec = append(rec, table.Quote(c.Reviewer), at)
		if notes {
			rec = append(rec, table.Quote(c.Note))
		}
		if err := out.Write(rec); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// ScoreText writes a label's score as files of people have it: empty where the
// labeller abstained.
func ScoreText(l Label) string {
	if l.Abstain {
		return ""
	}
	return table.Number(l.Score).String()
}
