package normalize

import (
	"slices"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalForm is one of Unicode's, as of Unicode 9: later runes stay as they are.
type normalForm struct {
	form     norm.Form
	composes bool
}

func (n normalForm) Apply(dst, src []byte) []byte {
	from := 0
	for i := 0; i < len(src); {
		if src[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, width := utf8.DecodeRune(src[i:])
		if inRanges(laterRanges[:], r) {
			dst = append(n.segment(dst, src[from:i]), src[i:i+width]...)
			from = i + width
		}
		i += width
	}
	return n.segment(dst, src[from:])
}

func (n normalForm) DropsFirst([]byte) bool { return false }

// manyMarks are more marks in a row than x/text takes without putting a joiner between them,
// which Hugging Face does not.
const manyMarks = 30

// segment is Apply for runes up to Unicode 9.
func (n normalForm) segment(dst, src []byte) []byte {
	if len(src) == 0 {
		return dst
	}
	if n.form.QuickSpan(src) == len(src) {
		return append(dst, src...)
	}
	if len(src) > manyMarks && n.hasManyMarks(src) {
		return n.byHand(dst, src)
	}
	// Append would look back at what stands in dst.
	return append(dst, n.form.Bytes(src)...)
}

func (n normalForm) hasManyMarks(src []byte) bool {
	marks := 0
	for i := 0; i < len(src); {
		p := n.form.Properties(src[i:])
		i += max(p.Size(), 1)
		if marks++; p.CCC() == 0 && p.LeadCCC() == 0 && p.TrailCCC() == 0 && len(p.Decomposition()) <= utf8.UTFMax {
			marks = 0
		}
		if marks >= manyMarks/3 { // one rune may be up to three marks
			return true
		}
	}
	return false
}

// byHand is segment by the book: decompose, order, compose.
func (n normalForm) byHand(dst, src []byte) []byte {
	decomposed := norm.NFD
	if n.form == norm.NFKC || n.form == norm.NFKD {
		decomposed = norm.NFKD
	}
	var runes []rune
	for _, r := range string(src) {
		runes = append(runes, []rune(decomposed.String(string(r)))...)
	}
	for i := 0; i < len(runes); {
		end := i
		for end < len(runes) && combining(runes[end]) != 0 {
			end++
		}
		slices.SortStableFunc(runes[i:end], func(a, b rune) int { return int(combining(a)) - int(combining(b)) })
		i = end + 1
	}
	if n.composes {
		runes = composed(runes)
	}
	return append(dst, string(runes)...)
}

func combining(r rune) uint8 { return norm.NFD.PropertiesString(string(r)).CCC() }

// composed joins every rune with the starter before it where Unicode has one for both.
func composed(runes []rune) []rune {
	out, starter, last := runes[:0:0], -1, uint8(0)
	for _, r := range runes {
		c := combining(r)
		if blocked := starter < 0 || starter < len(out)-1 && (last >= c || last == 0); !blocked {
			if pair := []rune(norm.NFC.String(string([]rune{out[starter], r}))); len(pair) == 1 {
				out[starter] = pair[0]
				continue
			}
		}
		if out = append(out, r); c == 0 {
			starter = len(out) - 1
		}
		last = c
	}
	return out
}
