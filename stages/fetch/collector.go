package fetch

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/sprint-ml/sprint/stages/rows"
)

// collector takes the rows of a source one by one and keeps, on disk, the first of
// every url and of every normalised title.
type collector struct {
	firsts
	spool         *spool
	stats         rows.Stats
	schema        rows.Schema
	places        map[string]int // of the schema's categories
	kept, dropped int
	marks         []mark // of one row, reused
	firstBad      string // where the first row of no use is, and why
}

func newCollector(scratch string) (*collector, error) {
	spool, err := newSpool(scratch)
	return &collector{firsts: firsts{}, spool: spool, places: map[string]int{}}, err
}

// place is that of a category among those of the whole source, in the order of their
// coming.
func (c *collector) place(category string) int {
	i, ok := c.places[category]
	if !ok {
		i = len(c.schema.Categories)
		c.places[category] = i
		c.schema.Categories = append(c.schema.Categories, category)
	}
	return i
}

// bad notes a row of no use.
func (c *collector) bad(path string, r *rows.Row) {
	if c.firstBad == "" && r.Problem != "" {
		c.firstBad = fmt.Sprintf("%s:%d: %s", path, r.Line, r.Problem)
	}
}

// add takes a row whose labels are of the categories at these places.
func (c *collector) add(r *rows.Row, places []int) error {
	if !c.firsts.add(r) {
		c.dropped++
		return nil
	}
	c.kept++
	c.schema.Label = c.schema.Label || r.Label != ""
	c.marks = c.marks[:0]
	for i, l := range r.Labels {
		if !l.Abstain || l.Tag != "" {
			c.marks = append(c.marks, mark{places[i], l})
		}
	}
	return c.spool.add(r, c.marks)
}

// firsts are what the rows so far are known by: a digest of each url and title, so that
// the size of the texts does not matter.
type firsts map[[16]byte]struct{}

// add reports whether a row is the first of its url and of its title.
func (f firsts) add(r *rows.Row) bool {
	title, url := identity("title:"+rows.TitleKey(r.Title)), identity("url:"+r.URL)
	_, sameTitle := f[title]
	_, sameURL := f[url]
	if sameTitle || r.URL != "" && sameURL {
		return false
	}
	f[title], f[url] = struct{}{}, struct{}{}
	return true
}

func identity(text string) [16]byte {
	sum := sha256.Sum256([]byte(text))
	return [16]byte(sum[:16])
}

// DropDuplicates keeps the first row of every url and of every normalised title,
// in the array of all.
func DropDuplicates(all []rows.Row) []rows.Row {
	seen := firsts{}
	return slices.DeleteFunc(all, func(r rows.Row) bool { return !seen.add(&r) })
}
