package keywords

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// Result is what the rules say about a text. Reuse it to match without
// allocating.
type Result struct {
	// Scores has the weight of the strongest rule of each category, lowered by
	// the strongest rule against it, 0 if none fired or too much spoke against
	// it; Tags the index of the strongest rule's tag, 0 where the score is 0.
	Scores []float64
	Tags   []int
	// Fired lists every reason, those against a category too, in the order of
	// the text.
	Fired []Hit
	// Language is that of the text, where rules are of languages.
	Language string
	// Explain asks Match to fill Dropped: hits that do not count, and why.
	Explain bool
	Dropped []Drop

	text     text
	field    int
	state    []uint8 // per rule: voided, listed
	dirty    []int32 // rules whose state is not 0
	low      []float64
	any      bool
	combined bool // Scores and Tags were written to

	// Of the field at hand.
	spans                              []span
	candidates                         []int32
	hits, shields, negations, affirmed []place
	marks                              []uint64
}

// Hit is one place where a rule fires: bytes Start to End of a field, 0 for the
// title and 1 for the description. They are whole words.
type Hit struct {
	Rule       int
	Field      int
	Start, End int
}

// Drop is a hit that does not count, and the reason: "negation", "except" or
// "not", as the taxonomy calls them.
type Drop struct {
	Hit
	Reason string
}

// place is an occurrence in the folded text.
type place struct {
	rule       int32
	start, end int
}

// What state says of a rule.
const (
	voided uint8 = 1 << iota
	listed
)

// maxPlaces caps the hits of a field. Beyond it a rule that has a hit already
// gets no more of them.
const maxPlaces = 1 << 14

// Any reports whether a rule spoke for a category.
func (r *Result) Any() bool { return r.any }

// reset empties a result for a matcher.
func (r *Result) reset(m *Matcher) {
	if len(r.state) != len(m.rules) || len(r.Scores) != len(m.tax.Categories) {
		r.state = make([]uint8, len(m.rules))
		r.Scores, r.Tags = make([]float64, len(m.tax.Categories)), make([]int, len(m.tax.Categories))
		r.low = make([]float64, len(m.tax.Categories))
		r.dirty, r.any, r.combined = nil, false, false
	}
	for _, rule := range r.dirty {
		r.state[rule] = 0
	}
	r.Fired, r.Dropped, r.dirty = r.Fired[:0], r.Dropped[:0], r.dirty[:0]
	if r.combined {
		clear(r.Scores)
		clear(r.Tags)
		r.any, r.combined = false, false
	}
}

func (r *Result) mark(rule int32, s uint8) {
	if r.state[rule] == 0 {
		r.dirty = append(r.dirty, rule)
	}
	r.state[rule] |= s
}

// add notes an occurrence of a pattern.
func (r *Result) add(o output, start, end int) {
	p := place{o.rule, start, end}
	switch o.use {
	case fires:
		if len(r.hits) >= maxPlaces && r.state[o.rule]&listed != 0 {
			return
		}
		r.mark(o.rule, listed)
		r.hits = append(r.hits, p)
	case voids:
		r.mark(o.rule, voided)
	case shields:
		r.shields = append(r.shields, p)
	case negates:
		r.negations = append(r.negations, p)
	case affirms:
		r.affirmed = append(r.affirmed, p)
	}
}

// keepHits moves the hits of a field that are neither shielded nor negated to
// Fired.
func (r *Result) keepHits(m *Matcher) {
	if len(r.hits) > 1 {
		slices.SortFunc(r.hits, func(a, b place) int {
			return cmp.Or(a.start-b.start, a.end-b.end, int(a.rule-b.rule))
		})
		r.hits = slices.Compact(r.hits) // both ends of a compound, a word and its prefix
	}
	negated := len(r.negations) > 0
	if negated {
		r.negate(m.tax.Negation.Within)
	}
	if len(r.shields) > 0 {
		r.sortShields()
	}
	for _, h := range r.hits {
		start, end := r.text.span(h.start, h.end)
		hit := Hit{Rule: int(h.rule), Field: r.field, Start: start, End: end}
		switch of := m.rules[h.rule].language; {
		case of != "" && of != r.Language: // the words mean something else here
		case len(r.shields) > 0 && r.shielded(h):
			r.drop(hit, "except")
		case negated && m.rules[h.rule].negatable && r.marks[h.start>>6]>>(h.start&63)&1 != 0:
			r.drop(hit, "negation")
		default:
			r.Fired = append(r.Fired, hit)
		}
	}
}

func (r *Result) drop(h Hit, reason string) {
	if r.Explain {
		r.Dropped = append(r.Dropped, Drop{h, reason})
	}
}

// negate marks the words that negations reach: the next few of each, up to the
// end of the clause. A negation that begins inside an affirming phrase ("not
// only") is none.
func (r *Result) negate(within int) {
	t := &r.text
	if cap(r.marks) < len(t.word) {
		r.marks = make([]uint64, len(t.word))
	}
	r.marks = r.marks[:len(t.word)]
	clear(r.marks)
	for _, a := range r.affirmed {
		for s, e, ok := t.nextWord(a.start); ok && s < a.end; s, e, ok = t.nextWord(e) {
			r.marks[s>>6] |= 1 << (s & 63)
		}
	}
	kept := r.negations[:0]
	for _, n := range r.negations {
		if r.marks[n.start>>6]>>(n.start&63)&1 == 0 {
			kept = append(kept, n)
		}
	}
	clear(r.marks)
	for _, n := range kept {
		at := n.end
		for range within {
			s, e, ok := t.nextWord(at)
			if !ok || clauseEnds(t.src[at:s]) {
				break
			}
			r.marks[s>>6] |= 1 << (s & 63)
			at = e
		}
	}
}

// clauseMarks end the reach of a negation, as does a hyphen between spaces.
const clauseMarks = ".,:;!?…–—|()[]\n"

// clauseEnds reports whether a clause ends between two words.
func clauseEnds(between []byte) bool {
	if len(between) == 1 && between[0] == ' ' {
		return false
	}
	return strings.ContainsAny(string(between), clauseMarks) || bytes.Contains(between, []byte(" - "))
}

// sortShields sorts the exceptions by rule and start, and lets the end of each be the
// farthest of those before it.
func (r *Result) sortShields() {
	slices.SortFunc(r.shields, func(a, b place) int { return cmp.Or(int(a.rule-b.rule), a.start-b.start) })
	for i := 1; i < len(r.shields); i++ {
		if a, b := &r.shields[i-1], &r.shields[i]; a.rule == b.rule {
			b.end = max(a.end, b.end)
		}
	}
}

// shielded reports whether an exception of its rule overlaps a hit.
func (r *Result) shielded(h place) bool {
	// The first exception that begins at or after the end of the hit; the one
	// before it reaches farthest of those that begin before.
	i, _ := slices.BinarySearchFunc(r.shields, h, func(s, h place) int { return cmp.Or(int(s.rule-h.rule), s.start-h.end) })
	return i > 0 && r.shields[i-1].rule == h.rule && r.shields[i-1].end > h.start
}

// combine drops rules that an exception voids and combines the others.
func (r *Result) combine(m *Matcher) {
	r.combined = true
	kept := r.Fired[:0]
	best := r.Tags // the strongest tagged rule so far, plus one
	for _, h := range r.Fired {
		if r.state[h.Rule]&voided != 0 {
			r.drop(h, "not")
			continue
		}
		kept = append(kept, h)
		rule := &m.rules[h.Rule]
		c := rule.category
		if rule.weight < 0 {
			r.low[c] = min(r.low[c], rule.weight)
			continue
		}
		r.any = true
		r.Scores[c] = max(r.Scores[c], rule.weight)
		if rule.tag == 0 {
			continue
		}
		if b := best[c] - 1; b < 0 || rule.weight > m.rules[b].weight || rule.weight == m.rules[b].weight && h.Rule < b {
			best[c] = h.Rule + 1
		}
	}
	r.Fired = kept
	for c, b := range best {
		if b > 0 {
			r.Tags[c] = m.rules[b-1].tag
		}
	}
	if !m.against {
		return
	}
	r.any = false
	for c, low := range r.low {
		r.low[c] = 0
		if r.Scores[c] = max(0, r.Scores[c]+low); r.Scores[c] == 0 {
			r.Tags[c] = 0
		} else {
			r.any = true
		}
	}
}
