package keywords

import (
	"math/bits"
	"unicode/utf8"
	"unsafe"

	"github.com/sprint-ml/sprint/ml/taxonomy"
	"golang.org/x/text/unicode/norm"
)

// text is a field made ready for matching: its bytes, how they fold, and one bit
// per byte that tells whether it belongs to a word. Most texts are read where
// they are: plain ones hold ASCII, the letters of U+00C0 to U+00FF but ß, and
// signs, and fold byte by byte.
type text struct {
	src  []byte // at least eight bytes
	fold *[256]byte
	word []uint64
	high []uint64 // bytes beyond ASCII

	// For a text that was not folded byte by byte: where the letter that gave a
	// byte begins and ends in it.
	mapped     bool
	from, upto []int32

	buf     []byte
	clean   []byte // the slow path's valid UTF-8
	cleanAt []int32
}

// at returns a byte of a word as it folds.
func (t *text) at(i int) byte { return t.fold[t.src[i]] }

// alphabet tells how to fold what is common beyond ASCII in place. All else
// takes the slow path.
type alphabet struct {
	plain, same [256]byte   // plain folds bytes of plain texts
	latin       [256]uint16 // U+0080 to U+017F: the two bytes of the folded letter, separator or unknown
	punctuation [64]bool    // U+2000 to U+203F: parts words
}

const (
	separator uint16 = iota // parts words
	unknown                 // takes the slow path
)

// newAlphabet asks the definition, taxonomy.Fold, for every entry.
func newAlphabet() *alphabet {
	var a alphabet
	for i := range a.same {
		c := byte(i) //nolint:gosec // a byte
		a.same[i], a.plain[i] = c, c
		if c >= 'A' && c <= 'Z' || c >= 0x80 && c <= 0x9f { // Ä is C3 84, ä is C3 A4
			a.plain[i] |= 0x20
		}
	}
	for i := range a.latin {
		r := rune(0x80 + i)
		switch f := taxonomy.Fold(string(r)); {
		case taxonomy.Ignored(r):
			a.latin[i] = unknown
		case !taxonomy.IsWord(r):
			a.latin[i] = separator
		case len(f) == 2:
			a.latin[i] = uint16(f[0])<<8 | uint16(f[1])
		default:
			a.latin[i] = unknown
		}
	}
	for i := range a.punctuation {
		r := rune(0x2000 + i)
		a.punctuation[i] = !taxonomy.Ignored(r) && !taxonomy.IsWord(r)
	}
	return &a
}

// load makes a text ready.
func (t *text) load(a *alphabet, s string) {
	t.src, t.fold, t.mapped = unsafe.Slice(unsafe.StringData(s), len(s)), &a.plain, false // never written to
	if len(s) < 8 {
		t.src = t.copied(t.src)
	}
	t.resize(len(t.src))
	if !t.scan() && !t.foldLatin(a) {
		t.foldAny(s)
		t.fold = &a.same
	}
}

// copied brings bytes into the buffer, with zeros if they are few.
func (t *text) copied(src []byte) []byte {
	t.buf = append(t.buf[:0], src...)
	for len(t.buf) < 8 {
		t.buf = append(t.buf, 0)
	}
	return t.buf
}

// resize makes the bits fit n bytes. The last block ends in at least one byte that
// is no word's.
func (t *text) resize(n int) {
	blocks := n/64 + 1
	if cap(t.word) < blocks {
		t.word, t.high = make([]uint64, blocks, 2*blocks), make([]uint64, blocks, 2*blocks)
	}
	t.word, t.high = t.word[:blocks], t.high[:blocks]
}

// foldLatin folds what is common beyond ASCII. It returns false if there is anything
// else, which foldAny folds.
func (t *text) foldLatin(a *alphabet) bool {
	letters := false
	next := 0
	src := t.src
	for b, high := range t.high {
		for ; high != 0; high &= high - 1 {
			p := b<<6 + bits.TrailingZeros64(high)
			if p < next {
				continue
			}
			if p+1 >= len(src) || src[p+1]&0xc0 != 0x80 {
				return false
			}
			switch c := src[p]; {
			case c >= 0xc2 && c <= 0xc5:
				next = p + 2
				switch f := a.latin[int(c-0xc2)<<6|int(src[p+1]&0x3f)]; {
				case f>>8 == 0xc3 && c == 0xc3: // plain
				case f == unknown:
					return false
				case f == separator:
					t.clearWord(p, 2)
				default:
					letters = true
				}
			case c == 0xe2 && src[p+1] == 0x80 && p+2 < len(src) && src[p+2]&0xc0 == 0x80 && a.punctuation[src[p+2]&0x3f]:
				t.clearWord(p, 3)
				next = p + 3
			default:
				return false
			}
		}
	}
	if letters {
		t.copyFolded(a)
	}
	return true
}

// copyFolded folds the letters that foldLatin knows into the buffer.
func (t *text) copyFolded(a *alphabet) {
	buf := t.copied(t.src)
	for i := 0; i < len(buf); i++ {
		c := buf[i]
		if c < utf8.RuneSelf {
			buf[i] = a.plain[c]
		} else if c >= 0xc2 && c <= 0xc5 {
			if f := a.latin[int(c-0xc2)<<6|int(buf[i+1]&0x3f)]; f != separator {
				buf[i], buf[i+1] = byte(f>>8), byte(f)
			}
			i++
		}
	}
	t.src, t.fold = buf, &a.same
}

// clearWord takes bytes out of any word.
func (t *text) clearWord(p, n int) {
	for ; n > 0; p, n = p+1, n-1 {
		t.word[p>>6] &^= 1 << (p & 63)
	}
}

// foldAny folds any text, by the definition, piece by piece.
func (t *text) foldAny(s string) {
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
	t.buf, t.from, t.upto = t.buf[:0], t.from[:0], t.upto[:0]
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
		for len(t.from) < len(t.buf) {
			t.from, t.upto = append(t.from, t.cleanAt[at]), append(t.upto, t.cleanAt[at+n])
		}
		at += n
	}
	for len(t.buf) < 8 {
		t.buf = append(t.buf, 0)
	}
	t.src, t.mapped = t.buf, true
	t.resize(len(t.src))
	clear(t.word)
	for i := 0; i < len(t.src); {
		r, n := utf8.DecodeRune(t.src[i:])
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

// nextWord returns the first word at or after a byte.
func (t *text) nextWord(p int) (start, end int, ok bool) {
	if p >= len(t.src) {
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

// wordEnd returns where the word ends that goes on to the end of a block.
func (t *text) wordEnd(end int) int {
	for b := end >> 6; b < len(t.word); b++ {
		if w := ^t.word[b]; w != 0 {
			return b<<6 + bits.TrailingZeros64(w)
		}
	}
	return end
}

// previousWord returns the last word that ends at or before a byte.
func (t *text) previousWord(p int) (start, end int, ok bool) {
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
