package keywords

import (
	"bytes"
	"math/bits"
	"slices"
)

// The automaton is one radix trie with three roots: patterns that begin where a
// word begins, patterns that end where one ends (stored backwards), and
// patterns that may lie inside. It has at most two nodes per pattern, so a
// hostile taxonomy costs no more than its size.
const (
	rootBegin = iota
	rootEnd
	rootInside
	roots
)

// gap stands for whatever parts two words of a phrase; folded words hold no
// such byte.
const gap = 0

// node is a place in the trie. The bytes that lead to it are label.
type node struct {
	label    []byte
	children []node // in the order of the first bytes of their labels
	leads    []byte // those bytes
	outs     []output
}

// shape says what may surround a pattern in its word.
type shape uint8

const (
	whole  shape = iota // nothing
	open                // anything beyond its inner end
	edge                // nothing, or at least compoundRest letters, beyond its inner end
	inside              // the same on either side
)

// use says what an occurrence means.
type use uint8

const (
	fires   use = iota
	voids       // an exception: the rule does not count on this text
	shields     // an exception: hits that overlap it do not count
	negates     // a negation
	affirms     // no negation, whatever is in it
)

// output is what a finished pattern means.
type output struct {
	rule  int32 // -1 for those that concern every rule
	use   use
	shape shape
}

// pattern is one entry of a taxonomy, folded: words parted by gap.
type pattern struct {
	key []byte
	output
}

// trie is a root and its children by their first bytes.
type trie struct {
	root  node
	first [256]*node
}

// build makes the trie of patterns, which it sorts.
func (t *trie) build(patterns []pattern) {
	slices.SortStableFunc(patterns, func(a, b pattern) int { return bytes.Compare(a.key, b.key) })
	t.root = subtree(patterns, 0, 0)
	for i, c := range t.root.leads {
		t.first[c] = &t.root.children[i]
	}
}

// subtree makes the node of patterns that share their first `to` bytes, of
// which those after `from` are its label.
func subtree(patterns []pattern, from, to int) node {
	n := node{label: patterns[0].key[from:to:to]}
	for len(patterns) > 0 && len(patterns[0].key) == to {
		if !slices.Contains(n.outs, patterns[0].output) {
			n.outs = append(n.outs, patterns[0].output)
		}
		patterns = patterns[1:]
	}
	for len(patterns) > 0 {
		lead := patterns[0].key[to]
		group := 1
		for group < len(patterns) && patterns[group].key[to] == lead {
			group++
		}
		// Sorted, the first and the last differ soonest.
		first, last, same := patterns[0].key, patterns[group-1].key, to+1
		for same < min(len(first), len(last)) && first[same] == last[same] {
			same++
		}
		n.leads = append(n.leads, lead)
		n.children = append(n.children, subtree(patterns[:group], to, same))
		patterns = patterns[group:]
	}
	return n
}

// child returns the node behind a byte, nil if there is none.
func (n *node) child(c byte) *node {
	if i := bytes.IndexByte(n.leads, c); i >= 0 {
		return &n.children[i]
	}
	return nil
}

// filter rules most words out before the trie is walked: a bit set of hashes.
// One that finds a word may be wrong, one that does not never is.
type filter struct {
	bits  []uint64
	shift uint8
	lens  uint8 // bit n: some pattern is found by n bytes
}

// The filters have 64 bits per pattern, at least 8 KiB (they stay in the first
// cache) and at most 512 KiB.
func newFilter(patterns int) filter {
	log := 16
	for log < 22 && 1<<log < 64*patterns {
		log++
	}
	return filter{bits: make([]uint64, 1<<log/64), shift: uint8(64 - log)}
}

// hashFactor is 2^64 divided by the golden ratio (Knuth, volume 3, 6.4).
const hashFactor = 0x9e3779b97f4a7c15

func (f *filter) add(key uint64, n int) {
	h := (key + uint64(n)) * hashFactor >> f.shift //nolint:gosec // n is a length
	f.bits[h>>6] |= 1 << (h & 63)
	if n < 8 {
		f.lens |= 1 << n
	}
}

// has returns 1 for what add was called with, and seldom for anything else, for
// which it returns 0.
func (f *filter) has(key, n uint64) uint64 {
	h := (key + n) * hashFactor >> (f.shift & 63)
	return f.bits[h>>6] >> (h & 63) & 1
}

// any asks has for the first bytes of a key, as many as patterns are found by.
func (f *filter) any(key uint64) (yes uint64) {
	for lens := f.lens; lens != 0; lens &= lens - 1 {
		n := uint64(bits.TrailingZeros8(lens)) //nolint:gosec // not negative
		yes |= f.has(key&(1<<(8*n)-1), n)
	}
	return yes
}

// anyEnd asks the same for the last bytes.
func (f *filter) anyEnd(key uint64) (yes uint64) {
	for lens := f.lens; lens != 0; lens &= lens - 1 {
		n := uint64(bits.TrailingZeros8(lens)) //nolint:gosec // not negative
		yes |= f.has(key>>(64-8*n), n)
	}
	return yes
}
