package rows

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/stages/rows/table"
)

// score returns a cell as the score of a label; ok is false for null and blank
// text.
func score(c table.Cell) (f float64, ok bool, err error) {
	f, ok, err = c.Float()
	if ok && (math.IsNaN(f) || f < -1 || f > 1) {
		return 0, false, fmt.Errorf("%v is not in [-1,1]", f)
	}
	return f, ok, err
}

// builder turns records into rows.
type builder struct {
	discover bool // records differ in their columns (jsonl)
	cats     []string
	known    map[string]bool // of cats
	stats    Stats
}

func newBuilder() *builder { return &builder{known: map[string]bool{}} }

// declareColumns adds the categories that column names stand for, in their order.
func (b *builder) declareColumns(names []string) {
	for _, n := range names {
		if c, ok := strings.CutSuffix(n, "_score"); ok && c != "" && !b.known[c] {
			b.known[c] = true
			b.cats = append(b.cats, c)
		}
	}
}

// row makes a Row of a record. It returns a row with Problem set if the record
// is of no use, and counts why.
func (b *builder) row(rec table.Record) Row {
	_, mended := rec[table.MendedMark]
	clean := func(s string) string {
		if !utf8.ValidString(s) {
			mended = true
			return strings.ToValidUTF8(s, "\uFFFD")
		}
		return s
	}
	r := Row{
		Description: clean(rec.First("description")),
		URL:         clean(rec.First("url")),
		Source:      clean(rec.First("source", "domain")),
		ID:          clean(rec.First("id")),
		SeenAt:      clean(rec.First("seen_at", "seendate")),
		Language:    clean(rec.First("language")),
		LabelSource: clean(rec.First("label_source")),
	}
	title := clean(rec.First("title"))
	r.TitleRaw = cmp.Or(clean(rec.First("title_raw")), title)
	r.Title = NormalizeTitle(title)
	if rules := rec.First("rules"); rules != "" {
		r.Rules = strings.Split(clean(rules), ";")
	}
	if conflicts := rec.First("conflicts"); conflicts != "" {
		r.Conflicts = strings.Split(clean(conflicts), ";")
	}
	if mended {
		b.stats.Mended++
	}
	if r.Title == "" {
		b.stats.NoTitle++
		return Row{ID: r.ID, URL: r.URL, Problem: "no title"}
	}
	if b.discover {
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

func (b *builder) labels(r *Row, rec table.Record, clean func(string) string) error {
	labels := make([]Label, len(b.cats))
	any := false
	for i, c := range b.cats {
		v, ok := rec[c+"_score"]
		any = any || ok
		f, given, err := score(v)
		if err != nil {
			return fmt.Errorf("%s_score: %w", c, err)
		}
		labels[i] = Label{Score: f, Abstain: !given, Tag: clean(rec[c+"_tag"].String())}
	}
	if any {
		r.Labels = labels
	}
	return nil
}
