// Package rows holds the rows that stages exchange: headlines, where they come
// from and, once labelled, one label per category. It is the single place that
// knows the columns of our files.
//
// row.go is the row, what makes two rows one and the table of rows. layout.go says how a file is written and what its columns
// mean, survey.go what to write where that is not known, read.go reads any format,
// builder.go turns a record into a row, columns.go writes rows. labelled.go reads what
// people labelled, in words that vocabulary.go knows; check.go tells its mistakes with
// their places. gold.go is the gold set that models
// are measured on, overlay.go the corrections of reviewers. The formats
// themselves are in text, table and parquet, which know no rows; groups of rows are
// found in package dedup. No model code is imported.
package rows

import (
	"github.com/sprint-ml/sprint/stages/rows/titles"

	"strings"
	"time"
	"unsafe"
)

// Label is the target of one category of one row.
type Label struct {
	// Score is the category's strength in [-1,1]; 0 is absent.
	Score float64
	// Abstain says that the labeller did not decide; Score is 0 then.
	Abstain bool
	// Tag is the category's tag; empty for none.
	Tag string
}

// Row is one headline.
type Row struct {
	Title, Description, URL, Source string
	ID                              string
	// TitleRaw is the title as the source gave it, before titles.Normalize.
	TitleRaw string
	SeenAt   string // as the source gave it, usually 20060102T150405Z
	Language string
	// LabelSource names who labelled the row: rules, columns, encoder, http,
	// overlay; several of one vote as rules+encoder. Categories that another
	// source decided follow: rules;overlay=crime,politics.
	LabelSource string
	// Labels are parallel to the categories of the row's table; nil if the row
	// is unlabelled.
	Labels []Label
	// Rules lists the rules that fired, as "category:rule".
	Rules []string
	// Conflicts lists the categories on which labellers disagreed.
	Conflicts []string
	// Label is what the column label of a file of people says, as it stands there: one
	// category or several. Labels holds nothing of it.
	Label string
	// Others are the cells that Layout.Others asks for.
	Others []string
	// Line is that of the row's file, from 1; 0 where it is not known.
	Line int
	// Problem says why the row is unusable. Only Each yields such rows; they hold id
	// and url at most.
	Problem string
}

// size is what the row takes in memory.
func (r *Row) size() int64 {
	n := int(unsafe.Sizeof(*r)) + len(r.Title) + len(r.Description) + len(r.URL) + len(r.Source) + len(r.ID) + len(r.TitleRaw) + len(r.SeenAt) + len(r.Language) + len(r.LabelSource) + len(r.Label)
	n += len(r.Labels)*int(unsafe.Sizeof(Label{})) + (len(r.Rules)+len(r.Conflicts))*int(unsafe.Sizeof(""))
	return int64(n)
}

// DecidedBy returns the source of a category's label, as LabelSource has it.
func (r *Row) DecidedBy(category string) string {
	main, rest, _ := strings.Cut(r.LabelSource, ";")
	for part := range strings.SplitSeq(rest, ";") {
		source, names, _ := strings.Cut(part, "=")
		for name := range strings.SplitSeq(names, ",") {
			if name == category {
				return source
			}
		}
	}
	return main
}

// Table is a set of rows and the categories of their labels.
type Table struct {
	Rows       []Row
	Categories []string
	Stats      Stats
}

// abstain gives labelled rows a label of each category that was met after them.
func (t *Table) abstain() {
	for i := range t.Rows {
		for r := &t.Rows[i]; r.Labels != nil && len(r.Labels) < len(t.Categories); {
			r.Labels = append(r.Labels, Label{Abstain: true})
		}
	}
}

// Stats counts what reading met.
type Stats struct {
	Read      int `json:"read"`      // records seen
	NoTitle   int `json:"no_title"`  // skipped: no title
	Malformed int `json:"malformed"` // skipped: not a record, wrong number of fields, bad score
	TooLong   int `json:"too_long"`  // skipped: a line over the cap
	Mended    int `json:"mended"`    // kept: invalid UTF-8 replaced by U+FFFD
	// Encoding is that of the text, as package text calls it; empty for parquet.
	Encoding string `json:"-"`
}

// Bad counts the rows that were skipped.
func (s Stats) Bad() int { return s.NoTitle + s.Malformed + s.TooLong }

// Add adds what reading another file met.
func (s *Stats) Add(o Stats) {
	s.Read += o.Read
	s.NoTitle += o.NoTitle
	s.Malformed += o.Malformed
	s.TooLong += o.TooLong
	s.Mended += o.Mended
}

// Identity returns what makes two rows the same one: the url, else the id, else
// the normalised title. It is empty if the row has none of them, and an empty
// identity equals nothing.
func Identity(r Row) string {
	switch {
	case r.URL != "":
		return "url:" + r.URL
	case r.ID != "":
		return "id:" + r.ID
	}
	if t := TitleKey(r.Title); t != "" {
		return "title:" + t
	}
	return ""
}

// TitleKey returns the form of a title under which two titles count as equal:
// normalised and in lower case.
func TitleKey(title string) string { return strings.ToLower(titles.Normalize(title)) }

// Titles are those of some sets, one after the other.
func Titles(sets ...[]Row) []string {
	var out []string
	for _, set := range sets {
		for i := range set {
			out = append(out, set[i].Title)
		}
	}
	return out
}

// seenLayouts are the ways in which sources write a time.
var seenLayouts = []string{"20060102T150405Z", time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "20060102150405", "2006-01-02", "20060102", time.RFC1123Z, time.RFC1123}

// SeenTime reads a time as sources write it: GDELT's 20060102T150405Z, ISO 8601
// with or without a clock time, or that of RSS. Without a zone it is UTC. ok is
// false if the text is none of these.
func SeenTime(text string) (t time.Time, ok bool) {
	for _, layout := range seenLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
