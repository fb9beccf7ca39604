package rows

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
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

// overlayColumns are the columns of an overlay, or of an exported review, that
// are no categories.
var overlayColumns = append([]string{"reviewer", "time", "reasons", "suggested", "conflicts", "similarity"}, plainColumns...)

// ReadOverlay reads a file of corrections: url, id or title, and per category
// a column of its name with a score in [-1,1] (0 absent, empty: not corrected)
// and a text column <category>_tag; reviewer and time (RFC 3339) are optional.
// A column that is neither is an error, and so is a label or a time that cannot
// be read; both name the record. Several corrections of one row stay several. Cells
// are read as CellText has them.
func ReadOverlay(r io.Reader, format string, categories []string) ([]Correction, error) {
	limits := usual(&Budget{})
	b := newBuilder(nil, limits.Budget)
	number := 0
	var out []Correction
	var bad error // of the header
	header := func(names []string) {
		if bad = checkOverlay(names, categories); bad != nil && format == CSV {
			bad = fmt.Errorf("line 1: %w", bad)
		}
	}
	err := each(r, format, limits, b.columns, header, func(rec *table.Record, problem string) error {
		number++
		if bad != nil {
			return bad
		}
		if problem != "" {
			return fmt.Errorf("record %d: %s", number, problem)
		}
		var err error
		if format == JSONL {
			err = checkOverlay(recordColumns(rec), categories)
		}
		var c Correction
		if err == nil {
			c, err = correction(b, rec, categories)
		}
		if err != nil {
			return fmt.Errorf("record %d: %w", number, err)
		}
		c.Number = number
		out = append(out, c)
		return limits.Budget.Hold(c.size() + int64(len(c.Reviewer)+len(c.Note)))
	})
	if err = cmp.Or(err, bad); err != nil {
		return nil, err
	}
	return out, nil
}

func correction(b *builder, rec *table.Record, categories []string) (Correction, error) {
	for i, cell := range rec.Cells {
		if s := cell.String(); CellText(s) != s {
			rec.Set(i, table.Text(CellText(s)))
		}
	}
	named := rec.First("url", "id", "title") != ""
	if rec.First("title") == "" {
		rec.Set(atTitle, table.Text("-")) // the builder wants one; url or id name the row
	}
	row, err := b.build(rec)
	switch {
	case err != nil:
		return Correction{}, err
	case !named:
		return Correction{}, fmt.Errorf("it has no url, id or title: which row does it mean?")
	case row.Problem != "":
		return Correction{}, fmt.Errorf("%s", row.Problem)
	}
	if row.Title == "-" {
		row.Title = ""
	}
	c := Correction{Row: *row, Reviewer: strings.TrimSpace(rec.First("reviewer")), Note: rec.First("note")}
	if t := strings.TrimSpace(rec.First("time")); t != "" {
		if c.Time, err = time.Parse(time.RFC3339, t); err != nil {
			return Correction{}, fmt.Errorf("the time %q is not written as 2006-01-02T15:04:05Z", t)
		}
	}
	c.Labels = make([]Label, len(categories))
	for i, name := range categories {
		f, given, err := score(rec.Get(name))
		if err != nil {
			return Correction{}, fmt.Errorf("column %s: %w", name, err)
		}
		c.Labels[i] = Label{Score: f, Abstain: !given}
		if given {
			c.Labels[i].Tag = strings.TrimSpace(rec.Get(name + "_tag").String())
		}
	}
	return c, nil
}

func checkOverlay(names, categories []string) error {
	for _, n := range names {
		base, isTag := strings.CutSuffix(n, "_tag")
		switch {
		case slices.Contains(categories, n), isTag && slices.Contains(categories, base), slices.Contains(overlayColumns, n), n == "":
		default:
			return fmt.Errorf("the column %q is neither a category of the taxonomy (%s) nor one that an overlay has (%s)", n, strings.Join(categories, ", "), strings.Join([]string{"url", "id", "title", "reviewer", "time", "note"}, ", "))
		}
	}
	return nil
}

// Ahead returns the first correction that is dated more than a day after now, by a
// clock that is wrong or by mistake: until then no later review counts. A day is more
// than the time zones are apart.
func Ahead(list []Correction, now time.Time) (c *Correction, ok bool) {
	i := slices.IndexFunc(list, func(c Correction) bool { return c.Time.After(now.Add(24 * time.Hour)) })
	if i < 0 {
		return nil, false
	}
	return &list[i], true
}

// WriteOverlay writes corrections as csv, in the columns that ReadOverlay
// reads; the column note is there if one has a note. No text in it is a formula to a
// spreadsheet.
func WriteOverlay(w io.Writer, corrections []Correction, categories []string) error {
	out := csv.NewWriter(w)
	head := []string{"url", "id", "title"}
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
		rec := []string{Cell(c.URL), Cell(c.ID), Cell(c.Title)}
		for _, l := range c.Labels {
			rec = append(rec, ScoreText(l), Cell(l.Tag))
		}
		at := ""
		if !c.Time.IsZero() {
			at = c.Time.UTC().Format(time.RFC3339)
		}
		rec = append(rec, Cell(c.Reviewer), at)
		if notes {
			rec = append(rec, Cell(c.Note))
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
