// Package keywords is the classifier made of a taxonomy's rules. One pass over
// a text folds its letters, parts it into words and looks each of them up once,
// however many rules there are.
package keywords

import (
	"bytes"

	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// Matcher finds which rules of a taxonomy fire on a text. It is immutable and
// safe for concurrent use.
type Matcher struct {
	tax      *taxonomy.Taxonomy
	whole    table // words, and the first words of phrases
	prefix   table
	suffix   table // of reversed bytes
	shortest int   // bytes of the shortest prefix and suffix
	longest  int
}

// pattern is one entry of a rule.
type pattern struct {
	first []byte   // folded; reversed in the suffix table
	rest  [][]byte // further folded words of a phrase
	open  bool     // the last word may go on (a prefix of several words)
	alone bool     // compounds: at least two more letters must follow, or none
	rule  int32
	not   bool // an exception instead of a reason
}

// Result is what the rules say about a text. Reuse it to match without
// allocating.
type Result struct {
	// Scores has the weight of the strongest rule of each category, 0 if none
	// fired; Tags the index of that rule's tag.
	Scores []float64
	Tags   []int
	// Fired lists every reason, in the order of the text.
	Fired []Hit

	buf   []byte
	spans []span
	hits  []Hit
	state []uint8 // per rule: bit 0 fired, bit 1 excepted
	dirty []int32
}

// Hit is one place where a rule fires: bytes Start to End of a field, 0 for the
// title and 1 for the description.
type Hit struct {
	Rule       int
	Field      int
	Start, End int
}

// Any reports whether a rule of any category fired.
func (r *Result) Any() bool { return len(r.Fired) > 0 }

// New builds the matcher of a taxonomy.
func New(t *taxonomy.Taxonomy) *Matcher {
	m := &Matcher{tax: t, shortest: 1 << 30}
	var whole, prefix, suffix []pattern
	for i, r := range t.Rules {
		rule := int32(i) //nolint:gosec // files are capped far below
		for _, w := range r.Words {
			whole = append(whole, compile(w, rule))
		}
		for _, w := range r.Prefixes {
			p := compile(w, rule)
			if len(p.rest) > 0 {
				p.open = true
				whole = append(whole, p)
				continue
			}
			prefix = append(prefix, p)
		}
		for _, w := range r.Suffixes {
			suffix = append(suffix, reversed(compile(w, rule)))
		}
		for _, w := range r.Compounds {
			p := compile(w, rule)
			p.alone = true
			prefix = append(prefix, p)
			suffix = append(suffix, reversed(p))
		}
		for _, w := range r.Not {
			p := compile(w, rule)
			p.not = true
			whole = append(whole, p)
		}
	}
	for _, p := range append(prefix[:len(prefix):len(prefix)], suffix...) {
		m.shortest, m.longest = min(m.shortest, len(p.first)), max(m.longest, len(p.first))
	}
	m.whole, m.prefix, m.suffix = newTable(whole), newTable(prefix), newTable(suffix)
	return m
}

// Taxonomy is what the matcher was made of.
func (m *Matcher) Taxonomy() *taxonomy.Taxonomy { return m.tax }

func compile(text string, rule int32) pattern {
	buf, spans := words(text, nil, nil)
	p := pattern{rule: rule}
	for i, s := range spans {
		w := buf[s.from:s.to:s.to]
		if i == 0 {
			p.first = w
		} else {
			p.rest = append(p.rest, w)
		}
	}
	return p
}

func reversed(p pattern) pattern {
	r := bytes.Clone(p.first)
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i]
	}
	p.first = r
	return p
}

// Match applies all rules to a text of one or two fields and returns r, filled.
func (m *Matcher) Match(r *Result, title, description string) *Result {
	if len(r.state) != len(m.tax.Rules) || len(r.Scores) != len(m.tax.Categories) {
		r.state = make([]uint8, len(m.tax.Rules))
		r.Scores, r.Tags = make([]float64, len(m.tax.Categories)), make([]int, len(m.tax.Categories))
	}
	r.hits, r.Fired, r.dirty = r.hits[:0], r.Fired[:0], r.dirty[:0]
	m.field(r, 0, title)
	if description != "" {
		m.field(r, 1, description)
	}
	clear(r.Scores)
	clear(r.Tags)
	if len(r.hits) > 0 {
		m.judge(r)
	}
	for _, rule := range r.dirty {
		r.state[rule] = 0
	}
	return r
}

// judge drops excepted rules and combines the others: the strongest rule of a
// category decides, the first of the file among equals.
func (m *Matcher) judge(r *Result) {
	best := make([]int, 0, 16)
	for _, h := range r.hits {
		if r.state[h.Rule]&2 != 0 {
			continue
		}
		r.Fired = append(r.Fired, h)
		rule := &m.tax.Rules[h.Rule]
		if rule.Weight > r.Scores[rule.Category] {
			r.Scores[rule.Category] = rule.Weight
		}
		best = append(best, h.Rule)
	}
	for c := range r.Tags {
		strongest := -1
		for _, i := range best {
			rule := &m.tax.Rules[i]
			if rule.Category != c || rule.Tag == 0 {
				continue
			}
			if strongest < 0 || rule.Weight > m.tax.Rules[strongest].Weight || rule.Weight == m.tax.Rules[strongest].Weight && i < strongest {
				strongest = i
			}
		}
		if strongest >= 0 {
			r.Tags[c] = m.tax.Rules[strongest].Tag
		}
	}
}

// field scans one field.
func (m *Matcher) field(r *Result, field int, text string) {
	r.buf, r.spans = words(text, r.buf[:0], r.spans[:0])
	for i := range r.spans {
		s := &r.spans[i]
		for e := m.whole.find(s.hash); e >= 0; e = m.whole.next[e] {
			p := &m.whole.patterns[e]
			if m.whole.hashes[e] == s.hash && bytes.Equal(p.first, r.buf[s.from:s.to]) {
				if end, ok := follows(r, i, p); ok {
					r.hit(p, field, s.start, end)
				}
			}
		}
		if m.longest > 0 && s.to-s.from >= m.shortest {
			m.parts(r, field, s)
		}
	}
}

// follows checks the further words of a phrase and returns where it ends.
func follows(r *Result, i int, p *pattern) (end int, ok bool) {
	for k, w := range p.rest {
		if i+1+k >= len(r.spans) {
			return 0, false
		}
		s := &r.spans[i+1+k]
		have := r.buf[s.from:s.to]
		if p.open && k == len(p.rest)-1 {
			if !bytes.HasPrefix(have, w) {
				return 0, false
			}
		} else if !bytes.Equal(have, w) {
			return 0, false
		}
	}
	return r.spans[i+len(p.rest)].end, true
}

// parts looks up the beginnings and the ends of a word.
func (m *Matcher) parts(r *Result, field int, s *span) {
	word := r.buf[s.from:s.to]
	most := min(len(word), m.longest)
	if len(m.prefix.patterns) > 0 {
		h := uint64(offset64)
		for n := 1; n <= most; n++ {
			h = (h ^ uint64(word[n-1])) * prime64
			if n >= m.shortest {
				m.part(r, &m.prefix, h, word[:n], len(word), field, s, false)
			}
		}
	}
	if len(m.suffix.patterns) > 0 {
		h := uint64(offset64)
		for n := 1; n <= most; n++ {
			h = (h ^ uint64(word[len(word)-n])) * prime64
			if n >= m.shortest {
				m.part(r, &m.suffix, h, word[len(word)-n:], len(word), field, s, true)
			}
		}
	}
}

// compoundRest is the number of bytes that must be left of a word beside a
// compound part: "rån" is no part of "från".
const compoundRest = 3

func (m *Matcher) part(r *Result, t *table, h uint64, part []byte, word, field int, s *span, backwards bool) {
	for e := t.find(h); e >= 0; e = t.next[e] {
		p := &t.patterns[e]
		if t.hashes[e] != h || len(p.first) != len(part) {
			continue
		}
		if rest := word - len(part); p.alone && rest > 0 && rest < compoundRest {
			continue
		}
		same := true
		for i, c := range part {
			if backwards && p.first[len(part)-1-i] != c || !backwards && p.first[i] != c {
				same = false
				break
			}
		}
		if same {
			r.hit(p, field, s.start, s.end)
		}
	}
}

func (r *Result) hit(p *pattern, field, start, end int) {
	if r.state[p.rule] == 0 {
		r.dirty = append(r.dirty, p.rule)
	}
	if p.not {
		r.state[p.rule] |= 2
		return
	}
	r.state[p.rule] |= 1
	h := Hit{Rule: int(p.rule), Field: field, Start: start, End: end}
	for _, old := range r.hits {
		if old == h {
			return // a compound that is prefix and suffix of one word
		}
	}
	r.hits = append(r.hits, h)
}
