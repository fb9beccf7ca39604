package rows

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
)

// NearDuplicateGroups numbers titles so that near-duplicates share a number,
// at the usual threshold of 0.7.
func NearDuplicateGroups(titles []string) []int { return NearDuplicates(titles, 0.7) }

const (
	bands   = 16
	perBand = 4
	shingle = 4 // letters; long enough to carry word order, short enough for inflected words
)

// NearDuplicates numbers titles so that two share a number if the Jaccard
// similarity of their shingles of four letters (case, spacing and punctuation
// aside) is at least threshold, or if a chain of such pairs links them. Numbers
// count up from 0 in order of first appearance. Candidates come from MinHash
// (16 bands of 4), so about one pair in a hundred that lies just at 0.7 is
// missed, and are then compared exactly. Titles without a letter or digit are
// alone. The result depends on the titles and their order only.
func NearDuplicates(titles []string, threshold float64) []int {
	u := newUnion(len(titles))
	folded := make([]string, len(titles))
	byText := make(map[string]int, len(titles))
	distinct := make([]int, 0, len(titles))
	for i, t := range titles {
		folded[i] = fold(t)
		if folded[i] == "" {
			continue
		}
		if at, ok := byText[folded[i]]; ok {
			u.join(at, i)
			continue
		}
		byText[folded[i]] = i
		distinct = append(distinct, i)
	}
	keys := make([][bands]uint64, len(distinct))
	var set []uint32
	for k, i := range distinct {
		set = shingles(set[:0], folded[i])
		keys[k] = bandKeys(set)
	}
	order := make([]int, len(distinct))
	var a, b []uint32
	for band := range bands {
		for k := range order {
			order[k] = k
		}
		slices.SortFunc(order, func(x, y int) int {
			return cmp.Or(cmp.Compare(keys[x][band], keys[y][band]), x-y)
		})
		for start := 0; start < len(order); {
			end := start + 1
			for end < len(order) && keys[order[end]][band] == keys[order[start]][band] {
				end++
			}
			// Each member is compared with a few before it: enough, since one
			// link joins the group, and a bucket of boilerplate stays linear.
			for p := start + 1; p < end; p++ {
				j := distinct[order[p]]
				b = shingles(b[:0], folded[j])
				for q := p - 1; q >= start && q >= p-8; q-- {
					i := distinct[order[q]]
					if u.find(i) == u.find(j) {
						continue
					}
					a = shingles(a[:0], folded[i])
					if jaccard(a, b) >= threshold {
						u.join(i, j)
					}
				}
			}
			start = end
		}
	}
	return u.number()
}

// fold keeps letters and digits in lower case, words parted by one space.
func fold(title string) string {
	var b strings.Builder
	b.Grow(len(title))
	gap := false
	for _, r := range title {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte(' ')
			gap = false
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// shingles appends the sorted distinct hashes of the runs of four runes of s.
func shingles(dst []uint32, s string) []uint32 {
	from := len(dst)
	var window [shingle]rune
	n := 0
	for _, r := range s {
		copy(window[:], window[1:])
		window[shingle-1] = r
		if n++; n >= shingle {
			dst = append(dst, mix(window))
		}
	}
	if n < shingle {
		dst = append(dst, mix(window))
	}
	slices.Sort(dst[from:])
	return dst[:from+len(slices.Compact(dst[from:]))]
}

func mix(w [shingle]rune) uint32 {
	h := uint64(14695981039346656037)
	for _, r := range w {
		h = (h ^ uint64(r)) * 1099511628211
	}
	h ^= h >> 29
	return uint32(h * 0xbf58476d1ce4e5b9 >> 32)
}

// bandKeys hashes the MinHash signature of a set, band by band.
func bandKeys(set []uint32) (keys [bands]uint64) {
	var sig [bands * perBand]uint32
	for i := range sig {
		sig[i] = ^uint32(0)
	}
	for _, x := range set {
		h := uint64(x)*0x9e3779b97f4a7c15 + 0x632be59bd9b4e019
		step := h>>32 | 1
		v := h
		for i := range sig {
			// Double hashing, then a round of mixing so that the minima differ.
			v += step * 0x9e3779b97f4a7c15
			m := uint32((v ^ v>>31) * 0x94d049bb133111eb >> 32)
			if m < sig[i] {
				sig[i] = m
			}
		}
	}
	for b := range keys {
		k := uint64(b) + 1
		for _, m := range sig[b*perBand : (b+1)*perBand] {
			k = (k ^ uint64(m)) * 0x9e3779b97f4a7c15
			k ^= k >> 32
		}
		keys[b] = k
	}
	return keys
}

// jaccard is the overlap of two sorted sets over their union.
func jaccard(a, b []uint32) float64 {
	common, i, j := 0, 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			common++
			i++
			j++
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return float64(common) / float64(len(a)+len(b)-common)
}

// union is a set of disjoint groups.
type union []int

func newUnion(n int) union {
	u := make(union, n)
	for i := range u {
		u[i] = i
	}
	return u
}

func (u union) find(i int) int {
	for u[i] != i {
		u[i] = u[u[i]]
		i = u[i]
	}
	return i
}

func (u union) join(i, j int) {
	if a, b := u.find(i), u.find(j); a != b {
		u[max(a, b)] = min(a, b)
	}
}

// number gives each group the rank of its first member.
func (u union) number() []int {
	out := make([]int, len(u))
	ranks := make(map[int]int)
	for i := range u {
		root := u.find(i)
		if _, ok := ranks[root]; !ok {
			ranks[root] = len(ranks)
		}
		out[i] = ranks[root]
	}
	return out
}
