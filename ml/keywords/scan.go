package keywords

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// block holds a bit for each of 64 bytes: whether it belongs to a word, bytes
// beyond ASCII being taken for words', whether it is beyond ASCII, is C3, has bit
// 6, and is BF once bits 3 and 5 are set.
type block struct{ word, high, c3, bit6, odd uint64 }

// page is the least size of a page of memory: what lies in one that can be read
// can be read.
const page = 4096

// scan fills the bits of a text. A letter from U+00C0 to U+00FE is C3 and a byte
// from 80 to BE; U+00D7, U+00DF and U+00F7, which are no letters or fold to two,
// and U+00FF are odd. scan returns false if anything else is beyond ASCII.
func (t *text) scan() bool {
	src := t.src
	var other, carry uint64
	for b := range t.word {
		var k block
		if left := len(src) - 64*b; left > 0 {
			p := &src[64*b]
			switch {
			case left >= 64:
				scan(p, &k)
			case readsBeyond && uintptr(unsafe.Pointer(p))%page <= page-64:
				// What follows the text lies in the same page; its bits are
				// dropped.
				scan(p, &k)
			default:
				var end [64]byte
				copy(end[:], src[64*b:])
				scan(&end[0], &k)
			}
			if left < 64 {
				all := uint64(1)<<left - 1
				k.word, k.high, k.c3 = k.word&all, k.high&all, k.c3&all
			}
		}
		follows := k.c3<<1 | carry
		carry = k.c3 >> 63
		plain := follows & k.high &^ k.bit6 &^ k.odd
		other |= (k.high &^ k.c3 &^ plain) | (follows &^ plain)
		t.word[b], t.high[b] = k.word, k.high
	}
	return other == 0
}

// Constants for the eight bytes of a uint64, each on its own. What is added to a
// byte below 128 lets its high bit tell whether it is at least '0', above '9', at
// least 'a' or above 'z'.
const (
	each     = 0x0101010101010101
	eachHigh = 0x80 * each
	eachCase = 0x20 * each
	from0    = (0x80 - '0') * each
	past9    = (0x80 - '9' - 1) * each
	fromA    = (0x80 - 'a') * each
	pastZ    = (0x80 - 'z' - 1) * each
	// gather brings the lowest bits of eight bytes together in the top byte.
	gather = 0x0102040810204080
)

// scanPortable is scan without assembly.
func scanPortable(p *[64]byte, out *block) {
	*out = block{}
	for k := 0; k < 64; k += 8 {
		x := binary.LittleEndian.Uint64(p[k : k+8])
		low := x &^ eachHigh
		y := low | eachCase
		letter := (y + fromA) &^ (y + pastZ)
		digit := (low + from0) &^ (low + past9)
		out.word |= (letter | digit | x) & eachHigh >> 7 * gather >> 56 << k
		out.high |= x & eachHigh >> 7 * gather >> 56 << k
	}
	for h := out.high; h != 0; h &= h - 1 {
		i := bits.TrailingZeros64(h) & 63
		bit := uint64(1) << i
		if p[i] == 0xc3 {
			out.c3 |= bit
		}
		if p[i]&0x40 != 0 {
			out.bit6 |= bit
		}
		if p[i]|0x28 == 0xbf {
			out.odd |= bit
		}
	}
}
