// Package keywords is the classifier made of a taxonomy's rules. A text is
// folded eight bytes at a time; of each word a hash decides whether any rule
// could care, and one automaton of all rules and categories then says which do.
//
// matcher.go compiles the rules and matches; trie.go is the automaton and the hashes;
// text.go folds a text and finds its words, scan.go and the assembly do so for most bytes;
// result.go combines what was found into scores, choice.go into one category. survey.go counts what rules make of a
// sample, and tries a taxonomy's own tests. It imports ml/taxonomy and ml/language alone.
package keywords

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/language"
	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// Matcher finds which rules of a taxonomy fire on a text. It is immutable and
// safe for concurrent use.
type Matcher struct {
	tax      *taxonomy.Taxonomy
	alphabet *alphabet
	roots    [roots]trie
	// What can begin a match: whole words, beginnings, ends and insides of them.
	whole, begin, end, inside filter
	shortest                  int // bytes of the shortest word that can begin, end or hold a match; at most 4
	rules                     []rule
	negates                   bool // some rule can be negated
	against                   bool // some rule has a negative weight
	// languages are those of which rules are; none if all rules are of any.
	languages []string
}

// span is a word of a text; begins is 1 if some pattern may begin with it.
type span struct {
	start, end int32
	begins     uint64
}

// rule is what combining needs of a rule.
type rule struct {
	weight    float64
	category  int
	tag       int
	negatable bool
	language  string // empty: any
}

// compoundRest is the number of letters that must be left of a word beside a
// compound part, if any are: "rån" is no part of "från".
const compoundRest = 3

// New builds the matcher of a taxonomy.
func New(t *taxonomy.Taxonomy) *Matcher {
	m := &Matcher{tax: t, alphabet: newAlphabet(), languages: t.Languages()}
	var c compiler
	for i, r := range t.Rules {
		m.rules = append(m.rules, rule{r.Weight, r.Category, r.Tag, r.Negatable && len(t.Negation.Words) > 0, r.Language})
		m.negates = m.negates || m.rules[i].negatable
		m.against = m.against || r.Weight < 0
		id := int32(i) //nolint:gosec // files are capped far below
		c.add(r.Patterns, id, fires)
		c.add(r.Not, id, voids)
		c.add(r.Except, id, shields)
	}
	if m.negates {
		c.add(taxonomy.Patterns{Words: t.Negation.Words}, -1, negates)
		c.add(taxonomy.Patterns{Words: t.Negation.Not}, -1, affirms)
	}
	m.whole, m.begin = newFilter(len(c.patterns[rootBegin])), newFilter(len(c.patterns[rootBegin]))
	m.end, m.inside = newFilter(len(c.patterns[rootEnd])), newFilter(len(c.patterns[rootInside]))
	m.shortest = probeBytes
	for root, patterns := range c.patterns {
		for _, p := range patterns {
			m.addToFilters(root, p)
		}
		if len(patterns) > 0 {
			m.roots[root].build(patterns)
		}
	}
	return m
}

// Taxonomy is what the matcher was made of.
func (m *Matcher) Taxonomy() *taxonomy.Taxonomy { return m.tax }

// compiler turns entries into patterns, by root.
type compiler struct{ patterns [roots][]pattern }

func (c *compiler) add(p taxonomy.Patterns, rule int32, u use) {
	each := func(entries []string, root int, s shape) {
		for _, e := range entries {
			if key := key(e); len(key) > 0 {
				if root == rootEnd {
					slices.Reverse(key)
				}
				c.patterns[root] = append(c.patterns[root], pattern{key, output{rule, u, s}})
			}
		}
	}
	each(p.Words, rootBegin, whole)
	each(p.Prefixes, rootBegin, open)
	each(p.Suffixes, rootEnd, open)
	each(p.Compounds, rootBegin, edge)
	each(p.Compounds, rootEnd, edge)
	each(p.Parts, rootInside, inside)
}

// key folds an entry: its words, parted by gap.
func key(entry string) []byte {
	return []byte(strings.Join(taxonomy.Words(entry), string(rune(gap))))
}

// probeBytes is the number of bytes by which parts of words are looked up.
const probeBytes = 4

// addToFilters lets the filters pass what a pattern begins with.
func (m *Matcher) addToFilters(root int, p pattern) {
	first, _, several := bytes.Cut(p.key, []byte{gap})
	var load [8]byte
	n := min(len(first), probeBytes)
	m.shortest = min(m.shortest, n)
	switch {
	case root == rootEnd:
		for i, c := range first[:n] {
			load[n-1-i] = c // the right way round again
		}
		m.end.add(caseless(load, n), n)
	case root == rootInside:
		copy(load[:], first[:n])
		m.inside.add(caseless(load, n), n)
	case several || p.shape == whole:
		copy(load[:], first)
		m.whole.add(caseless(load, min(len(first), 8)), len(first))
	default:
		copy(load[:], first[:n])
		m.begin.add(caseless(load, n), n)
	}
}

// caseless is how the filters see the first n bytes: with the bit set in which
// upper and lower case differ, be it that of ASCII or that of a second byte.
func caseless(load [8]byte, n int) uint64 {
	return (binary.LittleEndian.Uint64(load[:]) | eachCase) & (1<<(8*uint(n)) - 1) //nolint:gosec // n is a length
}

// Language is that of a text, where rules are of languages: what its source gives, else
// what its letters say. It is empty if nobody can say, and where no rule asks.
func (m *Matcher) Language(given, title, description string) string {
	if len(m.languages) == 0 {
		return ""
	}
	return language.Of(given, title, description, m.languages)
}

// Match applies all rules to a text of one or two fields and returns r, filled. The
// language of the text is found out where rules are of languages.
func (m *Matcher) Match(r *Result, title, description string) *Result {
	return m.MatchIn(r, "", title, description)
}

// MatchIn is Match of a text whose source names its language, empty if it does not.
func (m *Matcher) MatchIn(r *Result, given, title, description string) *Result {
	r.reset(m)
	r.Language = m.Language(given, title, description)
	m.matchField(r, 0, title)
	if description != "" {
		m.matchField(r, 1, description)
	}
	if len(r.Fired) > 0 {
		r.combine(m)
	}
	return r
}

// matchField finds the hits of a field. What a word is and whether it is a candidate
// cannot be guessed, so each step is a loop of its own without a branch on it: all
// are noted, and those that count are kept.
func (m *Matcher) matchField(r *Result, field int, s string) {
	t := &r.text
	t.load(m.alphabet, s)
	r.field, r.hits = field, r.hits[:0]
	r.shields, r.negations, r.affirmed = r.shields[:0], r.negations[:0], r.affirmed[:0]
	most := len(t.src)/2 + 2
	if len(r.spans) < most {
		r.spans, r.candidates = make([]span, 2*most), make([]int32, 2*most)
	}
	parted := 0
	if m.end.lens|m.inside.lens != 0 {
		parted = 1
	}
	spans := r.spans[:m.words(t, r.spans, parted)]
	for i := range spans {
		if s := &spans[i]; s.begins != 0 {
			m.matchForward(r, rootBegin, int(s.start), int(s.start), int(s.end))
		}
	}
	if m.end.lens != 0 {
		for _, i := range r.candidates[:m.ends(spans, t.src, r.candidates)] {
			m.matchBackward(r, int(spans[i].start), int(spans[i].end))
		}
	}
	if m.inside.lens != 0 {
		for _, s := range spans {
			m.matchInside(r, int(s.start), int(s.end))
		}
	}
	if len(r.hits) > 0 {
		r.keepHits(m)
	}
}

// minBranchless is min without a branch, which the compiler makes of min.
func minBranchless(i, most int) int {
	d := most - i
	return i + d&(d>>63)
}

// words lists the words that are or begin as some pattern; all that are long
// enough for one if all is 1.
func (m *Matcher) words(t *text, out []span, all int) (n int) {
	src := t.src
	last := len(src) - 8
	whole := m.whole
	carry := uint64(0)
	for b, w := range t.word {
		begin := w &^ (w<<1 | carry)
		carry = w >> 63
		for i := 1; i < m.shortest; i++ {
			long := w >> (i & 63)
			if b+1 < len(t.word) {
				long |= t.word[b+1] << ((64 - i) & 63)
			}
			begin &= long
		}
		for ; begin != 0; begin &= begin - 1 {
			bit := bits.TrailingZeros64(begin)
			start := b<<6 + bit
			size := bits.TrailingZeros64(^(w >> (bit & 63)))
			if bit+size == 64 {
				size = t.wordEnd(start+size) - start
			}
			at := minBranchless(start, last)
			key := (binary.LittleEndian.Uint64(src[at:])>>(8*uint(start-at)&63) | eachCase) & (1<<(8*uint(size)) - 1) //nolint:gosec // not negative
			yes := whole.has(key, uint64(size))                                                                       //nolint:gosec // the same
			if m.begin.lens != 0 {
				yes |= m.begin.any(key)
			}
			out[n] = span{int32(start), int32(start + size), yes} //nolint:gosec // rows are capped far below
			n += int(yes)&1 | all                                 //nolint:gosec // 0 or 1
		}
	}
	return n
}

// ends picks the words that end as some pattern.
func (m *Matcher) ends(spans []span, src []byte, out []int32) (k int) {
	end := m.end
	out = out[:len(spans)]
	for i := range spans {
		s := &spans[i]
		at := -minBranchless(8-int(s.end), 0)
		tail := binary.LittleEndian.Uint64(src[at:])<<(8*uint(at+8-int(s.end))&63) | eachCase //nolint:gosec // not negative
		yes := end.anyEnd(tail)
		out[k] = int32(i) //nolint:gosec // the same
		k += int(yes) & 1 //nolint:gosec // the same
	}
	return k
}

// matchInside looks at every place of a word.
func (m *Matcher) matchInside(r *Result, s, e int) {
	src := r.text.src
	last := len(src) - 8
	for place := s; place < e; place++ {
		at := minBranchless(place, last)
		key := binary.LittleEndian.Uint64(src[at:])>>(8*uint(place-at)) | eachCase
		if m.inside.any(key) != 0 {
			m.matchForward(r, rootInside, s, place, e)
		}
	}
}

// matchForward walks a trie from a place in the word s to e.
func (m *Matcher) matchForward(r *Result, root, s, at, e int) {
	t := &r.text
	pos, end := at, e
	n := m.roots[root].first[t.at(at)]
	for n != nil {
		for _, c := range n.label {
			switch {
			case pos < end:
				if t.at(pos) != c {
					return
				}
				pos++
			case c != gap:
				return
			default:
				var ok bool
				if pos, end, ok = t.nextWord(end); !ok {
					return
				}
			}
		}
		for _, o := range n.outs {
			switch o.shape {
			case whole:
				if pos != end {
					continue
				}
			case edge:
				if !t.isCompoundRest(pos, end) {
					continue
				}
			case inside:
				if !t.isCompoundRest(s, at) || !t.isCompoundRest(pos, end) {
					continue
				}
			}
			r.add(o, s, end)
		}
		if len(n.children) == 0 {
			return
		}
		c := byte(gap)
		if pos < end {
			c = t.at(pos)
		}
		n = n.child(c)
	}
}

// matchBackward walks the trie of ends from the end of the word s to e.
func (m *Matcher) matchBackward(r *Result, s, e int) {
	t := &r.text
	pos, start := e, s
	for n := m.roots[rootEnd].first[t.at(e-1)]; n != nil; {
		for _, c := range n.label {
			switch {
			case c == gap:
				var ok bool
				if pos != start {
					return
				}
				if start, pos, ok = t.previousWord(start); !ok {
					return
				}
			case pos <= start || t.at(pos-1) != c:
				return
			default:
				pos--
			}
		}
		for _, o := range n.outs {
			if o.shape == edge && (pos == start || !t.isCompoundRest(start, pos)) {
				continue // the whole word was found from its beginning
			}
			r.add(o, start, e)
		}
		c := byte(gap)
		if pos > start {
			c = t.at(pos - 1)
		}
		n = n.child(c)
	}
}

// isCompoundRest reports whether what is left of a word makes it a compound.
func (t *text) isCompoundRest(from, to int) bool {
	letters := 0
	for _, c := range t.src[from:to] {
		if c&0xc0 != 0x80 {
			if letters++; letters == compoundRest {
				return true
			}
		}
	}
	return letters == 0
}
