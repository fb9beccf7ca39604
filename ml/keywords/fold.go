package keywords

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/ml/taxonomy"
	"golang.org/x/text/unicode/norm"
)

// pad is the number of zero bytes before and after a folded text, so that eight
// bytes can be loaded at either end of any word.
const pad = 8

// text is a field made ready for matching: its folded bytes, and one bit per
// byte that tells whether it belongs to a word.
type text struct {
	buf  []byte // pad zeros, the folded bytes, zeros
	word []uint64
	n    int

	// For a text that was not folded in place: where the letter that gave a
	// byte begins and ends in it.
	mapped     bool
	from, upto []int32

	clean   []byte // the slow path's valid UTF-8
	cleanAt []int32
}

// alphabet tells how to fold what is common beyond ASCII in place. All else
// takes the slow path.
type alphabet struct {
	latin       [256]uint16 // U+0080 to U+017F: the two bytes of the folded letter, parts or slow
	punctuation [64]bool    // U+2000 to U+203F: parts words
}

const (
	parts uint16 = iota
	slow
)

// newAlphabet asks the definition, taxonomy.Fold, for every entry.
func newAlphabet() *alphabet {
	var a alphabet
	for i := range a.latin {
		r := rune(0x80 + i)
		switch f := taxonomy.Fold(string(r)); {
		case taxonomy.Ignored(r):
			a.latin[i] = slow
		case !taxonomy.IsWord(r):
			a.latin[i] = parts
		case len(f) == 2:
			a.latin[i] = uint16(f[0])<<8 | uint16(f[1])
		default:
			a.latin[i] = slow
		}
	}
	for i := range a.punctuation {
		r := rune(0x2000 + i)
		a.punctuation[i] = !taxonomy.Ignored(r) && !taxonomy.IsWord(r)
	}
	return &a
}

// set folds a text.
func (t *text) set(a *alphabet, s string) {
	t.n, t.mapped = len(s), false
	t.room(len(s))
	copy(t.buf[pad:], s)
	clear(t.buf[pad+len(s):])
	if !t.lanes() && !t.beyond(a) {
		t.slowly(s)
	}
}

// room makes the buffers fit n bytes in blocks of 64. The last block ends in at
// least one byte that is no word's.
func (t *text) room(n int) {
	blocks := n/64 + 1
	if size := 2*pad + 64*blocks; cap(t.buf) < size {
		t.buf = make([]byte, size, 2*size)
	} else {
		t.buf = t.buf[:size]
	}
	if cap(t.word) < blocks {
		t.word = make([]uint64, blocks, 2*blocks)
	}
	t.word = t.word[:blocks]
}

// Constants for the eight bytes of a uint64, each on its own. What is added to a
// byte below 128 lets its high bit tell whether it is at least '0', above '9',
// at least 'a', above 'z', or not zero.
const (
	each     = 0x0101010101010101
	eachHigh = 0x80 * each
	from0    = (0x80 - '0') * each
	past9    = (0x80 - '9' - 1) * each
	fromA    = (0x80 - 'a') * each
	pastZ    = (0x80 - 'z' - 1) * each
	notZero  = 0x7f * each
	// gather brings the lowest bits of eight bytes together in the top byte.
	gather = 0x0102040810204080
)

// lanes folds ASCII and the letters of U+00C0 to U+00FE, eight bytes at a time
// and without a branch, and fills the bits of words. Bytes beyond that count as
// words' for now; it returns false if there are any.
func (t *text) lanes() bool {
	var other, lead uint64
	for b := range t.word {
		block := (*[64]byte)(t.buf[pad+64*b:])
		var word uint64
		// One more than the text has, for what follows a lead at its end.
		most := min(64, t.n+1-64*b)
		for k := 0; k < most; k += 8 {
			x := binary.LittleEndian.Uint64(block[k&63:])
			high := x & eachHigh
			low := x &^ eachHigh
			y := low | 0x20*each
			letter := (y + fromA) &^ (y + pastZ)
			digit := (low + from0) &^ (low + past9)
			word |= ((letter | digit | x) & eachHigh >> 7 * gather >> 56) << k
			// A letter from U+00C0 on is C3 and a byte from 80 to BF, of which
			// bit 5 tells the case; but for x8, U+00D7, U+00DF, U+00F7 and
			// U+00FF, whose second bytes are BF if bits 3 and 5 are set.
			c3 := low ^ 0x43*each
			c3 = high &^ (c3 + notZero)
			follows := c3<<8 | lead>>56
			lead = c3
			odd := (low | 0x28*each) ^ 0x3f*each
			plain := follows & high &^ (x << 1) & (odd + notZero)
			other |= high&^c3&^plain | follows&^plain
			binary.LittleEndian.PutUint64(block[k&63:], x|(letter&^x&eachHigh|plain)>>2)
		}
		t.word[b] = word
	}
	return other == 0
}

// beyond folds what else is common beyond ASCII in place. It returns false if
// some of it cannot be.
func (t *text) beyond(a *alphabet) bool {
	next := 0
	for p := 0; p < t.n; p += 8 {
		high := binary.LittleEndian.Uint64(t.buf[pad+p:]) & eachHigh
		for ; high != 0; high &= high - 1 {
			p := p + bits.TrailingZeros64(high)/8
			if p < next {
				continue
			}
			s := (*[3]byte)(t.buf[pad+p:])
			switch {
			case s[0] >= 0xc2 && s[0] <= 0xc5 && s[1]&0xc0 == 0x80:
				switch f := a.latin[int(s[0]-0xc2)<<6|int(s[1]&0x3f)]; f {
				case slow:
					return false
				case parts:
					t.part(p, 2)
				default:
					s[0], s[1] = byte(f>>8), byte(f)
				}
				next = p + 2
			case s[0] == 0xe2 && s[1] == 0x80 && s[2]&0xc0 == 0x80 && a.punctuation[s[2]&0x3f]:
				t.part(p, 3)
				next = p + 3
			default:
				return false
			}
		}
	}
	return true
}

// part takes bytes out of any word.
func (t *text) part(p, n int) {
	for ; n > 0; p, n = p+1, n-1 {
		t.word[p>>6] &^= 1 << (p & 63)
	}
}

// slowly folds any text, by the definition, piece by piece.
func (t *text) slowly(s string) {
	t.clean, t.cleanAt = t.clean[:0], t.cleanAt[:0]
	for i, r := range s {
		if r == utf8.RuneError {
			r = ' '
		}
		if taxonomy.Ignored(r) {
			continue
		}
		t.clean = utf8.AppendRune(t.clean, r)
		for len(t.cleanAt) < len(t.clean) {
			t.cleanAt = append(t.cleanAt, int32(i)) //nolint:gosec // rows are capped far below
		}
	}
	t.cleanAt = append(t.cleanAt, int32(len(s))) //nolint:gosec // the same
	t.buf = append(t.buf[:0], make([]byte, pad)...)
	t.from, t.upto = t.from[:0], t.upto[:0]
	for at := 0; at < len(t.clean); {
		n := 1
		if t.clean[at] >= utf8.RuneSelf || at+1 < len(t.clean) && t.clean[at+1] >= utf8.RuneSelf {
			n = max(norm.NFC.NextBoundary(t.clean[at:], true), 1)
		}
		if piece := t.clean[at : at+n]; n == 1 && piece[0] < utf8.RuneSelf {
			c := piece[0]
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			t.buf = append(t.buf, c)
		} else {
			t.buf = taxonomy.AppendFolded(t.buf, piece)
		}
		for len(t.from) < len(t.buf)-pad {
			t.from, t.upto = append(t.from, t.cleanAt[at]), append(t.upto, t.cleanAt[at+n])
		}
		at += n
	}
	t.n, t.mapped = len(t.buf)-pad, true
	folded := t.buf[pad:]
	t.room(t.n)
	copy(t.buf[pad:], folded) // room may have moved
	clear(t.buf[:pad])
	clear(t.buf[pad+t.n:])
	clear(t.word)
	for i := 0; i < t.n; {
		r, n := utf8.DecodeRune(t.buf[pad+i : pad+t.n])
		if taxonomy.IsWord(r) {
			for k := i; k < i+n; k++ {
				t.word[k>>6] |= 1 << (k & 63)
			}
		}
		i += n
	}
}

// span tells where bytes of the folded text stand in the text itself.
func (t *text) span(start, end int) (int, int) {
	if t.mapped {
		return int(t.from[start]), int(t.upto[end-1])
	}
	return start, end
}

// after returns the first word at or after a byte.
func (t *text) after(p int) (start, end int, ok bool) {
	if p >= t.n {
		return 0, 0, false
	}
	b := p >> 6
	w := t.word[b] &^ (1<<(p&63) - 1)
	for w == 0 {
		if b++; b == len(t.word) {
			return 0, 0, false
		}
		w = t.word[b]
	}
	start = b<<6 + bits.TrailingZeros64(w)
	w = ^t.word[b] &^ (1<<(start&63) - 1)
	for w == 0 {
		b++ // the last block ends in a byte that is no word's
		w = ^t.word[b]
	}
	return start, b<<6 + bits.TrailingZeros64(w), true
}

// before returns the last word that ends at or before a byte.
func (t *text) before(p int) (start, end int, ok bool) {
	b := p >> 6
	w := t.word[b] & (1<<(p&63) - 1)
	for w == 0 {
		if b--; b < 0 {
			return 0, 0, false
		}
		w = t.word[b]
	}
	end = b<<6 + 64 - bits.LeadingZeros64(w)
	b = (end - 1) >> 6
	w = ^t.word[b] & (1<<((end-1)&63) - 1)
	for w == 0 {
		if b--; b < 0 {
			return 0, end, true
		}
		w = ^t.word[b]
	}
	return b<<6 + 64 - bits.LeadingZeros64(w), end, true
}
