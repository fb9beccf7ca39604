package split

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/sprint-ml/sprint/stages/dedup"
	"github.com/sprint-ml/sprint/stages/rows"
)

// closeFrom is the similarity from which on pairs that stay apart are reported.
const closeFrom = 0.5

// Why two rows meet, the surest first.
const (
	byURL   = "url"
	byID    = "id"
	byTitle = "title"
	byNear  = "near"  // at least as similar as the plan demands, or linked by such pairs
	byClose = "close" // nearly so
)

// group is rows of one story: they stay on one side.
type group struct {
	rows      []int
	positives []int // of each category, in rows
	// draw decides on which side the group comes down. It hangs on one row, the
	// first by time or that of the least draw, so that a group which grows stays.
	draw   uint64
	first  time.Time
	latest time.Time // zero if no row of it has a time
	side   int
}

// partition is rows in groups, without those that meet the gold set.
type partition struct {
	all, gold  []rows.Row
	duplicates dedup.Duplicates // of all, then gold
	times      []time.Time
	single     bool  // a row has one label
	groupOf    []int // the group of each row, or why it is left out
	groups     []*group
	dropped    []Leak // what left rows out, one for each reason
}

// Rows that are in no group.
const (
	meetsGold = -1
	undated   = -2
)

// unassigned is the side of a group before it has one.
const unassigned = -1

// key is a name under which two rows are one. Only its hash is kept: 64 bits of
// SHA-256.
type key struct {
	by   string
	hash uint64
}

func keysOf(r *rows.Row) []key {
	keys := make([]key, 0, 3)
	for _, k := range [...]struct{ by, text string }{{byURL, r.URL}, {byID, r.ID}, {byTitle, rows.TitleKey(r.Title)}} {
		if k.text != "" {
			sum := sha256.Sum256([]byte(k.by + ":" + k.text))
			keys = append(keys, key{k.by, binary.BigEndian.Uint64(sum[:])})
		}
	}
	return keys
}

// newPartition leaves out the rows whose story is in the gold set, which is told by
// url, id, title and similarity, and gathers the others in groups.
func newPartition(all, gold []rows.Row, o *Options, categories int, single bool) *partition {
	p := &partition{all: all, gold: gold, single: single, groupOf: make([]int, len(all)), times: make([]time.Time, len(all))}
	for i := range all {
		p.times[i], _ = rows.SeenTime(all[i].SeenAt)
	}
	titles := rows.Titles(all, gold)
	p.duplicates = dedup.Find(titles, o.Threshold, min(closeFrom, o.Threshold))
	exact := p.exact()
	stories := dedup.NewDisjointSets(len(titles))
	var first []int // of each group
	for i, g := range p.duplicates.Groups {
		stories.Union(i, exact.Find(i))
		if g == len(first) { // groups count up in order of first appearance
			first = append(first, i)
		}
		stories.Union(first[g], i)
	}
	p.leaveOutGold(stories)
	if o.ByTime && o.Undated == "drop" {
		p.leaveOutUndated()
	}
	if !o.NearDups {
		stories = exact
	}
	p.gather(stories, o.Seed, categories)
	return p
}

// exact joins rows and gold rows that share a url, an id or a title.
func (p *partition) exact() dedup.DisjointSets {
	u := dedup.NewDisjointSets(len(p.all) + len(p.gold))
	by := make(map[uint64]int32, len(u))
	for i := range u {
		for _, k := range keysOf(p.row(i)) {
			if at, ok := by[k.hash]; ok {
				u.Union(int(at), i)
			} else {
				by[k.hash] = int32(i) //nolint:gosec // rows are fewer
			}
		}
	}
	return u
}

// row is one of all, then of gold.
func (p *partition) row(i int) *rows.Row {
	if i < len(p.all) {
		return &p.all[i]
	}
	return &p.gold[i-len(p.all)]
}

// leaveOutGold leaves out every group with a gold row.
func (p *partition) leaveOutGold(stories dedup.DisjointSets) {
	met, named := map[int][]int{}, map[uint64]int{} // gold rows by group, by name
	for g := range p.gold {
		at := stories.Find(len(p.all) + g)
		met[at] = append(met[at], g)
		for _, k := range keysOf(&p.gold[g]) {
			if _, ok := named[k.hash]; !ok {
				named[k.hash] = g
			}
		}
	}
	var gone leakTable
	for i := range p.all {
		golds := met[stories.Find(i)]
		if len(golds) == 0 {
			continue
		}
		p.groupOf[i] = meetsGold
		by, with := byNear, golds[0]
		for _, k := range keysOf(&p.all[i]) {
			if g, ok := named[k.hash]; ok {
				by, with = k.by, g
				break
			}
		}
		if by == byNear && len(gone.at(allRows, goldSet, by).Examples) < maxExamples {
			with = p.mostSimilar(i, golds)
		}
		gone.add(allRows, goldSet, by, &p.all[i], &p.gold[with])
	}
	p.dropped = gone.list()
}

// leaveOutUndated leaves out rows without a time.
func (p *partition) leaveOutUndated() {
	for i, t := range p.times {
		if t.IsZero() && p.groupOf[i] == 0 {
			p.groupOf[i] = undated
		}
	}
}

// mostSimilar is the gold row most similar to row i.
func (p *partition) mostSimilar(i int, golds []int) int {
	best, most := golds[0], -1.0
	for _, g := range golds[:min(len(golds), 100)] {
		if s := dedup.Similarity(p.all[i].Title, p.gold[g].Title); s > most {
			best, most = g, s
		}
	}
	return best
}

// gather makes the groups of the rows that are left, in order of first
// appearance.
func (p *partition) gather(stories dedup.DisjointSets, seed int64, categories int) {
	at := map[int]int{}
	for i := range p.all {
		if p.groupOf[i] < 0 {
			continue
		}
		root := stories.Find(i)
		n, ok := at[root]
		if !ok {
			n = len(p.groups)
			at[root] = n
			p.groups = append(p.groups, &group{positives: make([]int, categories)})
		}
		p.groupOf[i] = n
		p.groups[n].add(i, &p.all[i], p.times[i], seed, p.positive)
	}
}

func (g *group) add(i int, r *rows.Row, seen time.Time, seed int64, positive func(r *rows.Row, category int) bool) {
	draw := drawOf(r, seed)
	earlier := !seen.IsZero() && (g.first.IsZero() || seen.Before(g.first))
	if len(g.rows) == 0 || earlier || seen.Equal(g.first) && draw < g.draw {
		g.draw, g.first = draw, seen
	}
	if seen.After(g.latest) {
		g.latest = seen
	}
	g.rows = append(g.rows, i)
	for c := range g.positives {
		if positive(r, c) {
			g.positives[c]++
		}
	}
}

// drawOf is a number that looks random but hangs on the row and seed alone.
func drawOf(r *rows.Row, seed int64) uint64 {
	h := sha256.New()
	_ = binary.Write(h, binary.LittleEndian, seed)
	h.Write([]byte(rows.Identity(*r)))
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// positive reports whether a row counts for a category.
func (p *partition) positive(r *rows.Row, c int) bool {
	if p.single {
		at, _ := rows.Choice(r.Labels)
		return at == c
	}
	return c < len(r.Labels) && !r.Labels[c].Abstain && r.Labels[c].Score > 0
}
