package bpe

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// pattern is a regular expression that cuts texts into words, of those that are known. All have
// one shape: contractions, letters, numbers, all else, white space.
type pattern struct {
	anyCase bool // contractions are found in upper case too
	// sticky says that any character but a line's end, a letter and a number goes with the letters
	// behind it, not a blank alone, and that line ends go with what stands before them.
	sticky  bool
	digits  int  // of a word of numbers at most; 0 is any number
	blank   bool // a blank goes with the numbers behind it
	classes *[1 << 16]class
}

// patterns are the known ones, as they stand in files.
func patterns() map[string]pattern {
	return map[string]pattern{
		gpt2: {blank: true},
		`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`: {anyCase: true, sticky: true, digits: 3},
		`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`:      {anyCase: true, sticky: true, digits: 1},
	}
}

// gpt2 is the pattern of ByteLevel with use_regex.
const gpt2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// class is what the patterns tell apart.
type class uint8

const (
	other class = iota
	letter
	number
	space
)

// newClasses is the classes of the characters below 1<<16; above it there is no white space.
func newClasses() *[1 << 16]class {
	c := &[1 << 16]class{}
	for r := range rune(1 << 16) {
		c[r] = classOf(r)
	}
	return c
}

func classOf(r rune) class {
	switch {
	case unicode.IsSpace(r):
		return space
	case in(letterRanges[:], r):
		return letter
	case in(numberRanges[:], r):
		return number
	}
	return other
}

func in(ranges [][2]rune, r rune) bool {
	_, found := slices.BinarySearchFunc(ranges, r, func(x [2]rune, r rune) int {
		switch {
		case x[1] < r:
			return -1
		case x[0] > r:
			return 1
		}
		return 0
	})
	return found
}

// at is the class and the width of the character at a place, other and 0 at the end.
func (p *pattern) at(text []byte, i int) (class, int) {
	if i >= len(text) {
		return other, 0
	}
	if text[i] < utf8.RuneSelf {
		return p.classes[text[i]], 1
	}
	r, width := utf8.DecodeRune(text[i:])
	if r < 1<<16 {
		return p.classes[r], width
	}
	return classOf(r), width
}

// next is where the first word of a text ends.
func (p *pattern) next(text []byte) int {
	if n := p.contraction(text); n > 0 {
		return n
	}
	first, width := p.at(text, 0)
	second, secondWidth := p.at(text, width)
	switch {
	case first == letter:
		return p.run(text, width, letter)
	case second == letter && secondWidth > 0 && (text[0] == ' ' || p.sticky && first != number && text[0] != '\r' && text[0] != '\n'):
		return p.run(text, width+secondWidth, letter)
	case first == number && p.digits > 0:
		return p.someDigits(text, width)
	case first == number:
		return p.run(text, width, number)
	case text[0] == ' ' && second == number && p.blank:
		return p.run(text, width+secondWidth, number)
	case first == other:
		return p.ends(text, p.run(text, width, other))
	case text[0] == ' ' && second == other && secondWidth > 0:
		return p.ends(text, p.run(text, width+secondWidth, other))
	}
	return p.spaces(text)
}

// run is where a run of a class ends of which text[:i] is a part already.
func (p *pattern) run(text []byte, i int, of class) int {
	for i < len(text) {
		c, width := p.at(text, i)
		if c != of {
			break
		}
		i += width
	}
	return i
}

// someDigits is where at most digits numbers end, the first of which ends at i.
func (p *pattern) someDigits(text []byte, i int) int {
	for n := 1; n < p.digits; n++ {
		c, width := p.at(text, i)
		if c != number {
			break
		}
		i += width
	}
	return i
}

// ends takes the line ends at i with it.
func (p *pattern) ends(text []byte, i int) int {
	for p.sticky && i < len(text) && (text[i] == '\r' || text[i] == '\n') {
		i++
	}
	return i
}

// spaces is where the first word ends of a text that begins with white space: the last of it
// before another character is left to that.
func (p *pattern) spaces(text []byte) int {
	end, last, line := 0, 0, 0
	for end < len(text) {
		c, width := p.at(text, end)
		if c != space {
			break
		}
		if last, end = end, end+width; text[last] == '\r' || text[last] == '\n' {
			line = end
		}
	}
	switch {
	case p.sticky && line > 0:
		return line
	case end == len(text) || last == 0:
		return end
	}
	return last
}

// contraction is the length of one that a text begins with, 0 if there is none.
func (p *pattern) contraction(text []byte) int {
	if len(text) < 2 || text[0] != '\'' {
		return 0
	}
	lower := func(c byte) byte {
		if p.anyCase && c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		return c
	}
	switch lower(text[1]) {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v', 'l':
		if len(text) > 2 && (lower(text[1]) == 'l' && lower(text[2]) == 'l' || lower(text[1]) != 'l' && lower(text[2]) == 'e') {
			return 3
		}
	}
	if p.anyCase && len(text) > 2 && string(text[1:3]) == "ſ" { // the long s, an s in lower case
		return 3
	}
	return 0
}
