package normalize

import "unicode/utf8"

// class is what decides where graphemes end.
type class uint8

const (
	other class = iota
	carriageReturn
	lineFeed
	control
	extend
	joiner // U+200D
	spacing
	prepend
	regional
	leading // Hangul: L, V, T, LV, LVT
	vowel
	trailing
	openSyllable
	closedSyllable
	consonant // of scripts that join them
	pictograph
)

// classRange is a range of runes, its ends included, of one class.
type classRange struct {
	from, to rune
	class    class
}

// Hangul syllables are ordered by their parts: one in 28 has no trailing one.
const (
	firstSyllable, lastSyllable = 0xac00, 0xd7a3
	trailingParts               = 28
)

func classOf(r rune) class {
	switch {
	case r >= ' ' && r < 0x7f:
		return other
	case r >= firstSyllable && r <= lastSyllable:
		if (r-firstSyllable)%trailingParts == 0 {
			return openSyllable
		}
		return closedSyllable
	}
	lo, hi := 0, len(classRanges)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if classRanges[mid].to < r {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(classRanges) && classRanges[lo].from <= r {
		return classRanges[lo].class
	}
	return other
}

// inRanges reports whether r lies in one of the sorted, closed ranges.
func inRanges(ranges [][2]rune, r rune) bool {
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

// grapheme is the length of the extended grapheme cluster (UAX #29) that s, which is not empty,
// begins with.
func grapheme(s []byte) int {
	r, n := utf8.DecodeRune(s)
	before := classOf(r)
	flags := 1                    // regional indicators in a row
	emoji := before == pictograph // a pictograph, then extends alone, then perhaps a joiner
	conjunct := before == consonant
	linked := false // of a conjunct: a linker was there
	for n < len(s) {
		r, width := utf8.DecodeRune(s[n:])
		c := classOf(r)
		if !joins(before, c) &&
			!(c == consonant && conjunct && linked) &&
			!(before == joiner && c == pictograph && emoji) &&
			!(before == regional && c == regional && flags%2 == 1) {
			return n
		}
		if c == regional && before == regional {
			flags++
		} else {
			flags = 1
		}
		emoji = c == pictograph || emoji && before != joiner && (c == extend || c == joiner)
		switch {
		case c == consonant:
			conjunct, linked = true, false
		case inRanges(linkerRanges[:], r):
			linked = true
		case !inRanges(conjunctRanges[:], r):
			conjunct = false
		}
		before = c
		n += width
	}
	return n
}

// joins says whether two classes belong together wherever they meet.
func joins(before, after class) bool {
	switch {
	case before == carriageReturn && after == lineFeed:
		return true
	case before == control || before == carriageReturn || before == lineFeed || after == control || after == carriageReturn || after == lineFeed:
		return false
	case before == leading && (after == leading || after == vowel || after == openSyllable || after == closedSyllable),
		(before == openSyllable || before == vowel) && (after == vowel || after == trailing),
		(before == closedSyllable || before == trailing) && after == trailing:
		return true
	}
	return after == extend || after == joiner || after == spacing || before == prepend
}
