// Package keywords is the classifier made of a taxonomy's rules. A text is
// folded eight bytes at a time; of each word a hash decides whether any rule
// could care, and one automaton of all rules and categories then says which do.
package keywords

import (
	"encoding/binary"
	"math/bits"

	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// Matcher finds which rules of a taxonomy fire on a text. It is immutable and
// safe for concurrent use.
type Matcher struct {
	tax      *taxonomy.Taxonomy
	alphabet *alphabet
	roots    [roots]trie
	// What can begin a match: whole words, beginnings, ends and insides of them.
	words, begin, end, inside filter
	rules                     []rule
	negates                   bool // some rule can be negated
	against                   bool // some rule has a negative weight
}

// candidate is a word that some pattern may match.
type candidate struct{ start, end int32 }

// rule is what judging needs of a rule.
type rule struct {
	weight    float64
	category  int
	tag       int
	negatable bool
}

// compoundRest is the number of letters that must be left of a word beside a
// compound part, if any are: "rån" is no part of "från".
const compoundRest = 3

// New builds the matcher of a taxonomy.
func New(t *taxonomy.Taxonomy) *Matcher {
	m := &Matcher{tax: t, alphabet: newAlphabet()}
	var c compiler
	for i, r := range t.Rules {
		m.rules = append(m.rules, rule{r.Weight, r.Category, r.Tag, r.Negatable && len(t.Negation.Words) > 0})
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
	m.words, m.begin = newFilter(len(c.patterns[rootBegin])), newFilter(len(c.patterns[rootBegin]))
	m.end, m.inside = newFilter(len(c.patterns[rootEnd])), newFilter(len(c.patterns[rootInside]))
	for root, patterns := range c.patterns {
		for _, p := range patterns {
			m.admit(root, p)
		}
		if len(patterns) > 0 {
			m.roots[root].grow(patterns)
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
					reverse(key)
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
	var key []byte
	for i, w := range taxonomy.Words(entry) {
		if i > 0 {
			key = append(key, gap)
		}
		key = append(key, w...)
	}
	return key
}

func reverse(b []byte) {
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
}

// probe is the number of bytes by which parts of words are looked up.
const probe = 4

// admit lets the filters pass what a pattern begins with.
func (m *Matcher) admit(root int, p pattern) {
	first, several := p.key, false
	for i, c := range p.key {
		if c == gap {
			first, several = p.key[:i], true
			break
		}
	}
	var load [8]byte
	n := min(len(first), probe)
	switch {
	case root == rootEnd:
		for i, c := range first[:n] {
			load[n-1-i] = c // the right way round again
		}
		m.end.add(binary.LittleEndian.Uint64(load[:]), n)
	case root == rootInside:
		copy(load[:], first[:n])
		m.inside.add(binary.LittleEndian.Uint64(load[:]), n)
	case several || p.shape == whole:
		copy(load[:], first)
		m.words.add(binary.LittleEndian.Uint64(load[:]), len(first))
	default:
		copy(load[:], first[:n])
		m.begin.add(binary.LittleEndian.Uint64(load[:]), n)
	}
}

// Match applies all rules to a text of one or two fields and returns r, filled.
func (m *Matcher) Match(r *Result, title, description string) *Result {
	r.begin(m)
	m.field(r, 0, title)
	if description != "" {
		m.field(r, 1, description)
	}
	if len(r.Fired) > 0 {
		r.judge(m)
	}
	return r
}

// field finds the hits of a field.
func (m *Matcher) field(r *Result, field int, s string) {
	t := &r.text
	t.set(m.alphabet, s)
	r.field, r.hits = field, r.hits[:0]
	r.shields, r.negations, r.affirmed = r.shields[:0], r.negations[:0], r.affirmed[:0]
	most := t.n/2 + 2 // words
	if len(r.candidates) < 2*most {
		r.candidates = make([]candidate, 4*most)
	}
	found, ends := r.candidates[:most:most], r.candidates[most:2*most]
	n, k := 0, 0
	buf, words := t.buf, m.words
	start, carry := -1, uint64(0)
	for b, w := range t.word {
		// Words begin and end where a bit differs from the one before.
		edges := w ^ (w<<1 | carry)
		carry = w >> 63
		for {
			if start < 0 {
				if edges == 0 {
					break
				}
				start = b<<6 + bits.TrailingZeros64(edges)
				edges &= edges - 1
			}
			if edges == 0 {
				break
			}
			end := b<<6 + bits.TrailingZeros64(edges)
			edges &= edges - 1
			// Whether a word is a candidate cannot be guessed, so it is noted
			// in any case and counted if it is one.
			key := binary.LittleEndian.Uint64(buf[pad+start:]) & (1<<(8*uint(end-start)) - 1)
			found[n] = candidate{int32(start), int32(end)} //nolint:gosec // rows are capped far below
			yes := words.has(key, end-start)
			if m.begin.lens != 0 {
				yes |= m.begins(key)
			}
			n += int(yes) //nolint:gosec // 0 or 1
			if m.end.lens != 0 {
				ends[k] = candidate{int32(start), int32(end)} //nolint:gosec // the same
				k += int(m.ends(binary.LittleEndian.Uint64(t.buf[pad+end-8:])))
			}
			if m.inside.lens != 0 {
				m.within(r, start, end)
			}
			start = -1
		}
	}
	for _, c := range found[:n] {
		m.forward(r, rootBegin, int(c.start), int(c.start), int(c.end))
	}
	for _, c := range ends[:k] {
		m.backward(r, int(c.start), int(c.end))
	}
	if len(r.hits) > 0 {
		r.settle(m)
	}
}

// begins asks whether a pattern begins as the word does whose first bytes are
// key: 1 if so, else 0.
func (m *Matcher) begins(key uint64) (yes uint64) {
	for lens := m.begin.lens; lens != 0; lens &= lens - 1 {
		n := bits.TrailingZeros8(lens)
		yes |= m.begin.has(key&(1<<(8*uint(n))-1), n)
	}
	return yes
}

// ends asks the same of the end of a word.
func (m *Matcher) ends(tail uint64) (yes uint64) {
	for lens := m.end.lens; lens != 0; lens &= lens - 1 {
		n := bits.TrailingZeros8(lens)
		yes |= m.end.has(tail>>(64-8*uint(n)), n)
	}
	return yes
}

// within looks at every place of a word.
func (m *Matcher) within(r *Result, s, e int) {
	buf := r.text.buf
	for at := s; at < e; at++ {
		key := binary.LittleEndian.Uint64(buf[pad+at:])
		yes := uint64(0)
		for lens := m.inside.lens; lens != 0; lens &= lens - 1 {
			n := bits.TrailingZeros8(lens)
			yes |= m.inside.has(key&(1<<(8*uint(n))-1), n)
		}
		if yes != 0 {
			m.forward(r, rootInside, s, at, e)
		}
	}
}

// forward walks a trie from a place in the word s to e.
func (m *Matcher) forward(r *Result, root, s, at, e int) {
	t := &r.text
	pos, end := at, e
	n := m.roots[root].first[t.buf[pad+at]]
	for n != nil {
		if label := n.label; !n.gapped {
			if len(label) > end-pos || string(t.buf[pad+pos:pad+pos+len(label)]) != string(label) {
				return
			}
			pos += len(label)
		} else {
			for _, c := range label {
				switch {
				case c == gap:
					var ok bool
					if pos != end {
						return
					}
					if pos, end, ok = t.after(end); !ok {
						return
					}
				case pos >= end || t.buf[pad+pos] != c:
					return
				default:
					pos++
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
				if !t.rest(pos, end) {
					continue
				}
			case inside:
				if !t.rest(s, at) || !t.rest(pos, end) {
					continue
				}
			}
			r.found(o, s, end)
		}
		if len(n.children) == 0 {
			return
		}
		c := byte(gap)
		if pos < end {
			c = t.buf[pad+pos]
		}
		n = n.child(c)
	}
}

// backward walks the trie of ends from the end of the word s to e.
func (m *Matcher) backward(r *Result, s, e int) {
	t := &r.text
	pos, start := e, s
	for n := m.roots[rootEnd].first[t.buf[pad+e-1]]; n != nil; {
		for _, c := range n.label {
			switch {
			case c == gap:
				var ok bool
				if pos != start {
					return
				}
				if start, pos, ok = t.before(start); !ok {
					return
				}
			case pos <= start || t.buf[pad+pos-1] != c:
				return
			default:
				pos--
			}
		}
		for _, o := range n.outs {
			if o.shape == edge && (pos == start || !t.rest(start, pos)) {
				continue // the whole word was found from its beginning
			}
			r.found(o, start, e)
		}
		c := byte(gap)
		if pos > start {
			c = t.buf[pad+pos-1]
		}
		n = n.child(c)
	}
}

// rest reports whether what is left of a word makes it a compound.
func (t *text) rest(from, to int) bool {
	letters := 0
	for _, c := range t.buf[pad+from : pad+to] {
		if c&0xc0 != 0x80 {
			if letters++; letters == compoundRest {
				return true
			}
		}
	}
	return letters == 0
}
