package fetch

import (
	"crypto/sha256"
	"fmt"
	"hash/crc32"
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
	otherLabels   int    // of the dropped: rows whose label is not that of the row kept
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
	if first, other := c.firsts.add(r); !first {
		c.dropped++
		if other {
			c.otherLabels++
		}
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
// the size of the texts does not matter, and one of the label beside it.
type firsts map[[16]byte]uint32

// add reports whether a row is the first of its url and of its title, and if not whether its
// label is another than that of the first.
func (f firsts) add(r *rows.Row) (first, other bool) {
	title, url := identity("title:"+rows.TitleKey(r.Title)), identity("url:"+r.URL)
	kept, same := f[title]
	if !same && r.URL != "" {
		kept, same = f[url]
	}
	label := labelDigest(r.Label)
	if same {
		return false, label != 0 && label != kept
	}
	f[title], f[url] = label, label
	return true, false
}

// labelDigest tells labels apart but for case and spaces; 0 is no label.
func labelDigest(label string) uint32 {
	if label = rows.Fold(label); label == "" {
		return 0
	}
	return max(1, crc32.ChecksumIEEE([]byte(label)))
}

func identity(text string) [16]byte {
	sum := sha256.Sum256([]byte(text))
	return [16]byte(sum[:16])
}

// DropDuplicates keeps the first row of every url and of every normalised title,
// in the array of all.
func DropDuplicates(all []rows.Row) []rows.Row {
	seen := firsts{}
	return slices.DeleteFunc(all, func(r rows.Row) bool {
		first, _ := seen.add(&r)
		return !first
	})
}
