package rows

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// cell is one value of a record. The zero value is null.
type cell struct {
	text  string
	num   float64
	isNum bool
	set   bool
}

// record is one row before it has a meaning: column name -> value.
type record map[string]cell

// mendedMark is the column that a reader sets if it mended the record's text;
// no file's column can have that name.
const mendedMark = "\x00mended"

func text(s string) cell    { return cell{text: s, set: true} }
func number(f float64) cell { return cell{num: f, isNum: true, set: true} }

// str returns a cell as text; a number as it would be written.
func (c cell) str() string {
	if c.isNum {
		return strconv.FormatFloat(c.num, 'f', -1, 64)
	}
	return c.text
}

// score returns a cell as a number; ok is false for null and empty text.
func (c cell) score() (f float64, ok bool, err error) {
	if !c.set || !c.isNum && strings.TrimSpace(c.text) == "" {
		return 0, false, nil
	}
	f = c.num
	if !c.isNum {
		if f, err = strconv.ParseFloat(strings.TrimSpace(c.text), 64); err != nil {
			return 0, false, fmt.Errorf("%q is no number", c.text)
		}
	}
	if math.IsNaN(f) || f < -1 || f > 1 {
		return 0, false, fmt.Errorf("%v is not in [-1,1]", f)
	}
	return f, true, nil
}

// first returns the first non-empty of some columns.
func (r record) first(names ...string) string {
	for _, n := range names {
		if c, ok := r[n]; ok && c.set {
			if s := c.str(); s != "" {
				return s
			}
		}
	}
	return ""
}

// builder turns records into rows.
type builder struct {
	o     Options
	fixed bool // the categories were given
	cats  []string
	index map[string]int
	stats Stats
}

func newBuilder(o Options) *builder {
	b := &builder{o: o, fixed: o.Categories != nil, index: map[string]int{}}
	b.declare(o.Categories)
	return b
}

// declare adds categories in their order.
func (b *builder) declare(cats []string) {
	for _, c := range cats {
		if _, ok := b.index[c]; !ok {
			b.index[c] = len(b.cats)
			b.cats = append(b.cats, c)
		}
	}
}

// declareColumns adds the categories that column names stand for.
func (b *builder) declareColumns(names []string) {
	if b.fixed {
		return
	}
	for _, n := range names {
		if c, ok := strings.CutSuffix(n, "_score"); ok && c != "" {
			b.declare([]string{c})
		}
	}
}

// row makes a Row of a record. It returns a row with Problem set if the record
// is of no use, and counts why.
func (b *builder) row(rec record) Row {
	_, mended := rec[mendedMark]
	clean := func(s string) string {
		if !utf8.ValidString(s) {
			mended = true
			return strings.ToValidUTF8(s, "\uFFFD")
		}
		return s
	}
	r := Row{
		Description: clean(rec.first("description")),
		URL:         clean(rec.first("url")),
		Source:      clean(rec.first("source", "domain")),
		ID:          clean(rec.first("id")),
		SeenAt:      clean(rec.first("seen_at", "seendate")),
		Language:    clean(rec.first("language")),
		LabelSource: clean(rec.first("label_source")),
	}
	title := clean(rec.first("title"))
	r.TitleRaw = clean(rec.first("title_raw"))
	if r.TitleRaw == "" {
		r.TitleRaw = title
	}
	r.Title = NormalizeTitle(title)
	if rules := rec.first("rules"); rules != "" {
		r.Rules = strings.Split(clean(rules), ";")
	}
	if conflicts := rec.first("conflicts"); conflicts != "" {
		r.Conflicts = strings.Split(clean(conflicts), ";")
	}
	if mended {
		b.stats.Mended++
	}
	if r.Title == "" {
		b.stats.NoTitle++
		return Row{ID: r.ID, URL: r.URL, Problem: "no title"}
	}
	if !b.fixed && b.o.discover {
		names := make([]string, 0, 8)
		for n := range rec {
			if strings.HasSuffix(n, "_score") {
				names = append(names, n)
			}
		}
		slices.Sort(names)
		b.declareColumns(names)
	}
	if err := b.labels(&r, rec, clean); err != nil {
		b.stats.Malformed++
		return Row{ID: r.ID, URL: r.URL, Problem: err.Error()}
	}
	return r
}

func (b *builder) labels(r *Row, rec record, clean func(string) string) error {
	if len(b.cats) == 0 {
		return nil
	}
	labels := make([]Label, len(b.cats))
	any := false
	for i, c := range b.cats {
		v, ok := rec[c+"_score"]
		any = any || ok
		f, given, err := v.score()
		if err != nil {
			return fmt.Errorf("%s_score: %w", c, err)
		}
		labels[i] = Label{Score: f, Abstain: !given, Tag: clean(rec[c+"_tag"].str())}
	}
	if any {
		r.Labels = labels
	}
	return nil
}
