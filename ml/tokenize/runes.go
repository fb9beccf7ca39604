package tokenize

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// tables.go is written by tables.py.

// lowRunes covers Latin, Greek and Cyrillic: their actions are looked up.
const lowRunes = 0x530

// kind says what becomes of a rune.
type kind uint8

const (
	keep  kind = iota // its text goes on with the word
	drop              // nothing
	space             // ends the word
	alone             // ends the word and is a word itself: punctuation, CJK
	order             // cannot be treated alone; see segmentDecomposed
)

// action is the whole treatment of one rune: normalising and splitting.
type action struct {
	kind  kind
	runes uint8 // in text
	size  uint8 // bytes in text
	text  [5]byte
}

// actionOf works out the treatment of one rune.
func (w *wordPiece) actionOf(r rune) action {
	if w.clean {
		if isControl(r) {
			return action{kind: drop}
		}
		if isSpace(r) {
			return action{kind: space}
		}
	}
	cjk := w.cjk && isCJK(r)
	if w.strip {
		var ok bool
		if r, ok = stripped(r); !ok {
			return action{kind: order}
		}
	}
	lowered, n := w.lowered(r)
	a := action{kind: keep}
	for _, l := range lowered[:n] {
		if isSpace(l) {
			return action{kind: space}
		}
		if isPunct(l) {
			a.kind = alone
		}
		a.size += uint8(utf8.EncodeRune(a.text[a.size:], l))
		a.runes++
	}
	if cjk {
		a.kind = alone
	}
	return a
}

// stripped is the base of a rune whose canonical decomposition is one starter
// and marks that are dropped; ok is false if r has any other decomposition or is
// itself subject to reordering.
func stripped(r rune) (base rune, ok bool) {
	if r < utf8.RuneSelf {
		return r, true
	}
	if r >= 0xAC00 && r <= 0xD7A3 || isMark(r) { // Hangul syllables decompose by rule
		return 0, false
	}
	var buf [utf8.UTFMax]byte
	p := norm.NFD.Properties(buf[:utf8.EncodeRune(buf[:], r)])
	if p.CCC() != 0 || p.LeadCCC() != 0 {
		return 0, false
	}
	d := p.Decomposition()
	if d == nil {
		return r, true
	}
	base, n := utf8.DecodeRune(d)
	for d = d[n:]; len(d) > 0; d = d[n:] {
		var mark rune
		if mark, n = utf8.DecodeRune(d); !isMark(mark) {
			return 0, false
		}
	}
	return base, !isMark(base)
}

// lowered is Rust's char::to_lowercase: one rune, except for U+0130.
func (w *wordPiece) lowered(r rune) (runes [2]rune, n int) {
	if !w.lower {
		return [2]rune{r}, 1
	}
	if r == 0x130 {
		return [2]rune{'i', 0x307}, 2
	}
	return [2]rune{unicode.ToLower(r)}, 1
}

func isSpace(r rune) bool { return unicode.IsSpace(r) }

// isControl is what BERT's clean-up drops. Tab and line ends are blanks instead.
func isControl(r rune) bool {
	if r == '\t' || r == '\n' || r == '\r' {
		return false
	}
	return r == 0 || r == utf8.RuneError || inRanges(otherRanges[:], r)
}

func isPunct(r rune) bool {
	if r < utf8.RuneSelf {
		return r > ' ' && r < '0' || r > '9' && r < 'A' || r > 'Z' && r < 'a' || r > 'z' && r < 0x7f
	}
	return inRanges(punctRanges[:], r)
}

func isMark(r rune) bool { return r >= 0x300 && inRanges(markRanges[:], r) }

// isCJK covers the blocks that BERT sets apart; U+2B920 is upstream's own
// spelling of where extension E begins.
func isCJK(r rune) bool {
	if r < 0x3400 {
		return false
	}
	return r <= 0x4DBF || r >= 0x4E00 && r <= 0x9FFF || r >= 0xF900 && r <= 0xFAFF ||
		r >= 0x20000 && r <= 0x2A6DF || r >= 0x2A700 && r <= 0x2B73F || r >= 0x2B740 && r <= 0x2B81F ||
		r >= 0x2B920 && r <= 0x2CEAF || r >= 0x2F800 && r <= 0x2FA1F
}

// inRanges reports whether r lies in one of the sorted, closed ranges.
func inRanges(ranges [][2]rune, r rune) bool {
	// Every rune of a text outside of ASCII comes here, and a search that calls a
	// function for each comparison makes long texts a quarter slower.
	lo, hi := 0, len(ranges)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if ranges[mid][1] < r {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(ranges) && ranges[lo][0] <= r
}
