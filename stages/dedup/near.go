// Package dedup finds headlines of one story: near-duplicate titles, the groups
// that they form, and the rows of one set that overlap with another, such as a
// gold set that must not train.
//
// near.go finds near-duplicates, shingle.go holds their similarity, disjoint_sets.go
// the disjoint groups, gold.go keeps whole rows apart from a gold set and parts one.
// The package imports rows and no model code.
package dedup

import (
	"cmp"
	"math/bits"
	"runtime"
	"slices"
	"sync"
)

// defaultThreshold is the similarity from which on two titles are taken for one
// story unless the plan says otherwise.
const defaultThreshold = 0.7

// Groups numbers titles so that near-duplicates share a number,
// at the usual threshold of 0.7.
func Groups(titles []string) []int {
	return Find(titles, defaultThreshold, defaultThreshold).Groups
}

// Duplicates is what Find finds.
type Duplicates struct {
	// Groups numbers the titles so that near-duplicates share a number. Numbers
	// count up from 0 in order of first appearance.
	Groups []int
	// ClosePairs are pairs of different groups that were compared and are nearly as
	// similar; Truncated says that there are more than are held.
	ClosePairs []Pair
	Truncated  bool
}

// Pair is two titles by place, I before J, and the similarity of their shingles.
type Pair struct {
	I, J       int32
	Similarity float64
}

const (
	bands         = 16
	rowsPerBand   = 4
	shingleLength = 4 // letters; long enough to carry word order, short enough for inflected words
	// maxShingles bounds what is held of a title: of a longer one the smallest
	// hashes stand for all, as in a bottom-k sketch.
	maxShingles = 512
	// compareWindow is how many neighbours in a bucket a title is compared with. One
	// link joins a group, so that is enough, and a bucket of boilerplate stays
	// linear.
	compareWindow = 8
	// sketchSlack is the number of bits by which the sketches of two similar
	// titles may differ more than they should on average: three deviations.
	sketchBits  = bands * rowsPerBand
	sketchSlack = 10
	// maxClosePairs bounds Duplicates.ClosePairs, 16 bytes each.
	maxClosePairs = 1 << 20
)

// Find finds near-duplicates: titles whose sets of shingles of four letters
// (case, spacing and punctuation aside) have a Jaccard similarity of at least
// threshold, or that a chain of such pairs links. Pairs from watch on that stay
// apart are listed. Candidates come from MinHash (16 bands of 4 rows; Broder
// 1997), so about one pair in a hundred that lies just at 0.7 is missed, and are
// then compared exactly: no two titles are joined that are not alike. Titles
// without a letter or digit are alone. The result depends on the titles and
// their order only; all cores are used, and about 400 bytes per headline.
func Find(titles []string, threshold, watch float64) Duplicates {
	g := search{union: NewDisjointSets(len(titles)), threshold: threshold, watch: watch}
	g.joinEqual(titles)
	g.hashTitles()
	order := make([]uint64, len(g.distinct))
	for band := range bands {
		g.sortByBand(order, band)
		g.joinSimilar(order)
	}
	out := Duplicates{Groups: g.union.Numbers(), Truncated: g.full}
	for _, p := range g.close {
		if out.Groups[p.I] != out.Groups[p.J] {
			out.ClosePairs = append(out.ClosePairs, p)
		}
	}
	slices.SortFunc(out.ClosePairs, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(b.Similarity, a.Similarity), cmp.Compare(a.I, b.I), cmp.Compare(a.J, b.J))
	})
	out.ClosePairs = slices.Compact(out.ClosePairs)
	return out
}

// search is the work of Find.
type search struct {
	union            DisjointSets
	threshold, watch float64
	folded           []string // of the distinct titles
	distinct         []int32  // their first places
	keys             [][bands]uint32
	sketches         []uint64
	shingles         [][]uint32 // sorted
	close            []Pair
	full             bool
}

// joinEqual joins equal titles and keeps the rest.
func (g *search) joinEqual(titles []string) {
	byText := make(map[string]int32, len(titles))
	for i, t := range titles {
		text := normalize(t)
		if text == "" {
			continue
		}
		if at, ok := byText[text]; ok {
			g.union.Union(int(at), i)
			continue
		}
		at := int32(i) //nolint:gosec // rows are fewer
		byText[text] = at
		g.folded, g.distinct = append(g.folded, text), append(g.distinct, at)
	}
}

// hashTitles makes the shingles and band keys of every distinct title.
func (g *search) hashTitles() {
	n := len(g.folded)
	g.keys, g.sketches, g.shingles = make([][bands]uint32, n), make([]uint64, n), make([][]uint32, n)
	parallel(n, func(_, from, to int) {
		var set, arena []uint32
		for k := from; k < to; k++ {
			set = shingles(set[:0], g.folded[k])
			g.keys[k], g.sketches[k] = bandKeys(set)
			set = set[:min(len(set), maxShingles)]
			if cap(arena)-len(arena) < len(set) {
				arena = make([]uint32, 0, 1<<18)
			}
			at := len(arena)
			arena = append(arena, set...)
			g.shingles[k] = arena[at:len(arena):len(arena)]
		}
	})
	g.folded = nil
}

// sortByBand sorts the titles by their key of a band, as key and place in one
// number. Within a large bucket those that agree in the next band too are
// neighbours.
func (g *search) sortByBand(order []uint64, band int) {
	for k := range order {
		order[k] = uint64(g.keys[k][band])<<32 | uint64(k) //nolint:gosec // rows are fewer
	}
	slices.Sort(order)
	next := (band + 1) % bands
	for from, to := range buckets(order, 0, len(order)) {
		if to-from > compareWindow+1 {
			slices.SortFunc(order[from:to], func(a, b uint64) int {
				x, y := g.keys[uint32(a)][next], g.keys[uint32(b)][next] //nolint:gosec // the lower half is the place
				return cmp.Or(cmp.Compare(x, y), cmp.Compare(a, b))
			})
		}
	}
}

// buckets yields the spans of equal keys that begin in [from,to).
func buckets(order []uint64, from, to int) func(yield func(int, int) bool) {
	return func(yield func(int, int) bool) {
		for from < to && from > 0 && order[from]>>32 == order[from-1]>>32 {
			from++ // the part before has it
		}
		for from < to {
			end := from + 1
			for end < len(order) && order[end]>>32 == order[from]>>32 {
				end++
			}
			if !yield(from, end) {
				return
			}
			from = end
		}
	}
}

// joinSimilar joins the titles of each bucket that are alike.
func (g *search) joinSimilar(order []uint64) {
	found := make([][]Pair, runtime.GOMAXPROCS(0))
	far := int(sketchBits*(1-g.watch)/2) + sketchSlack
	parallel(len(order), func(part, from, to int) {
		for start, end := range buckets(order, from, to) {
			for p := start + 1; p < end; p++ {
				b := uint32(order[p]) //nolint:gosec // the lower half is the place
				for q := p - 1; q >= start && q >= p-compareWindow; q-- {
					a := uint32(order[q]) //nolint:gosec // the same
					i, j := g.distinct[a], g.distinct[b]
					if bits.OnesCount64(g.sketches[a]^g.sketches[b]) > far || g.union.findShared(int(i)) == g.union.findShared(int(j)) {
						continue
					}
					if s := jaccard(g.shingles[a], g.shingles[b], g.watch); s >= g.watch {
						found[part] = append(found[part], Pair{min(i, j), max(i, j), s})
					}
				}
			}
		}
	})
	for _, pairs := range found { // parts in order: the same whatever their number
		for _, p := range pairs {
			switch {
			case p.Similarity >= g.threshold:
				g.union.Union(int(p.I), int(p.J))
			case len(g.close) < maxClosePairs:
				g.close = append(g.close, p)
			default:
				g.full = true
			}
		}
	}
}

// parallel splits [0,n) over the cores.
func parallel(n int, work func(part, from, to int)) {
	parts := runtime.GOMAXPROCS(0)
	var wait sync.WaitGroup
	for part := range parts {
		wait.Go(func() { work(part, n*part/parts, n*(part+1)/parts) })
	}
	wait.Wait()
}

// Similarity is what Find compares: 1 for titles that are the same but for
// case, spacing and punctuation, 0 for such as share no four letters.
func Similarity(a, b string) float64 {
	return jaccard(shingles(nil, normalize(a)), shingles(nil, normalize(b)), 0)
}
