package aggregate

import (
	"cmp"
	"io"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/parquet"
)

// key is what rows are counted by.
type key struct{ day, domain string }

// scoreUnit is the least difference of two scores: answers have four digits. Sums of whole
// numbers do not depend on the order of the rows.
const scoreUnit = 1e-4

// count is of the rows of a category.
type count struct {
	rows  int64
	score int64 // sum, in scoreUnit
	tags  map[string]int64
}

// tally counts rows.
type tally struct {
	categories []string
	rows       map[key]int64
	counts     map[key][]count // by category
}

func newTally(categories []string) *tally {
	return &tally{categories: categories, rows: map[key]int64{}, counts: map[key][]count{}}
}

// add counts a row.
func (t *tally) add(day, domain string, labels []rows.Label) {
	k := key{day, domain}
	c, ok := t.counts[k]
	if !ok {
		c = make([]count, len(t.categories))
		t.counts[k] = c
	}
	t.rows[k]++
	for i, l := range labels {
		if l.Abstain {
			continue
		}
		c[i].rows++
		c[i].score += int64(math.Round(l.Score / scoreUnit))
		if l.Tag != "" {
			if c[i].tags == nil {
				c[i].tags = map[string]int64{}
			}
			c[i].tags[l.Tag]++
		}
	}
}

// days are those that have rows, and others, in order.
func (t *tally) days(others []string) []string {
	seen := map[string]bool{}
	for _, day := range others {
		seen[day] = true
	}
	for k := range t.rows {
		seen[k.day] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// dominant is the tag of most rows; of several, the first of the alphabet.
func (c *count) dominant() (tag string, n int64) {
	for _, name := range slices.Sorted(maps.Keys(c.tags)) {
		if c.tags[name] > n {
			tag, n = name, c.tags[name]
		}
	}
	return tag, n
}

// columns are those of a partition.
var columns = []parquet.Column{
	{Name: "domain"}, {Name: "category"}, {Name: "rows", Integer: true}, {Name: "count", Integer: true}, {Name: "share", Number: true},
	{Name: "mean", Number: true}, {Name: "tag"}, {Name: "tag_count", Integer: true}, {Name: "source"}, {Name: "model"},
}

// keysOf are the keys of each day, by domain.
func (t *tally) keysOf(day string) []key {
	var out []key
	for k := range t.rows {
		if k.day == day {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b key) int { return cmp.Compare(a.domain, b.domain) })
	return out
}

// write writes the partition of a day, and returns how many rows it counts. source and
// model say who answered.
func (t *tally) write(out io.Writer, keys []key, source, model string) (counted int64, err error) {
	w := parquet.NewWriter(out, columns)
	for _, k := range keys {
		n := t.rows[k]
		counted += n
		for i, name := range t.categories {
			c := &t.counts[k][i]
			w.Text(k.domain, name)
			w.Integer(n)
			w.Integer(c.rows)
			w.Number(float64(c.rows) / float64(n))
			if c.rows == 0 {
				w.Null()
			} else {
				w.Number(float64(c.score) * scoreUnit / float64(c.rows))
			}
			tag, of := c.dominant()
			w.Text(tag)
			w.Integer(of)
			w.Text(source, model)
			if err := w.End(); err != nil {
				return 0, err
			}
		}
	}
	return counted, w.Close()
}

// domain is that of a row's url without www, else its source; empty if it has neither.
func domain(r *rows.Row) string {
	if u, err := url.Parse(r.URL); err == nil && u.Hostname() != "" {
		return strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.")
	}
	return strings.ToLower(strings.TrimSpace(r.Source))
}
