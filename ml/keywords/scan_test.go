package keywords

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

// TestScan: sixteen bytes at a time give what eight do, and both what the
// definition says of each byte.
func TestScan(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var in [64]byte
	for round := range 2000 {
		for i := range in {
			if round < 256 {
				in[i] = byte(round)
			} else {
				in[i] = byte(rng.Uint32())
			}
		}
		var fast, portable, want block
		scan(&in[0], &fast)
		scanPortable(&in, &portable)
		for i, c := range in {
			set := func(bits *uint64, yes bool) {
				if yes {
					*bits |= 1 << i
				}
			}
			high := c >= 0x80
			set(&want.word, high || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9')
			set(&want.high, high)
			set(&want.c3, c == 0xc3)
			set(&want.bit6, c&0x40 != 0)
			set(&want.odd, c|0x28 == 0xbf)
		}
		// Of bytes below 128 the last two are not asked for.
		for _, b := range []*block{&fast, &portable, &want} {
			b.bit6, b.odd = b.bit6&b.high, b.odd&b.high
		}
		if fast != want || portable != want {
			t.Fatalf("%x:\nfast     %x\nportable %x\nwant     %x", in, fast, portable, want)
		}
	}
}

// TestEnds: texts of every length up to some blocks, at every offset, end where
// they end, whatever follows them in memory.
func TestEnds(t *testing.T) {
	m := New(parse(t, "categories: [{name: a, rules: [{words: [storm, rån], suffixes: [brand], parts: [eld]}]}]"))
	backing := make([]byte, 2*page)
	for i := range backing {
		backing[i] = 'x'
	}
	var res Result
	for _, word := range []string{"storm", "RÅN", "x-brand"} {
		for n := len(word); n < 200; n++ {
			for _, at := range []int{0, 1, 63, page - n - 1, page - n, page - n + 1, len(backing) - n} {
				text := backing[at : at+n]
				clear(text) // zeros part words
				copy(text[n-len(word):], word)
				m.Match(&res, unsafe.String(&text[0], n), "")
				if len(res.Fired) != 1 || res.Fired[0].End != n {
					t.Fatalf("%q at the end of %d bytes at %d: %+v", word, n, at, res.Fired)
				}
				for i := range text {
					text[i] = 'x'
				}
			}
		}
	}
}
