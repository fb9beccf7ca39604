package tokenize

import "hash/maphash"

// wordCache remembers the ids of words that were encoded lately. It belongs to
// one goroutine at a time. A word has one place, where the next word of the same
// hash takes over.
type wordCache struct{ slots [1 << 12]cachedWord }

// What a cached word may have at most, so that it fills one cache line.
const (
	cachedBytes = 30
	cachedIDs   = 8
)

type cachedWord struct {
	ids   [cachedIDs]int32
	count uint8
	size  uint8 // of the word; 0 is a free place
	word  [cachedBytes]byte
}

var wordSeed = maphash.MakeSeed() // places differ between processes, ids do not

func (c *wordCache) slot(word []byte) *cachedWord {
	return &c.slots[maphash.Bytes(wordSeed, word)%uint64(len(c.slots))]
}

func (c *cachedWord) holds(word []byte) bool { return string(c.word[:c.size]) == string(word) }

func (c *cachedWord) keep(word []byte, ids []int32) {
	if len(ids) > cachedIDs {
		return
	}
	c.size, c.count = uint8(copy(c.word[:], word)), uint8(copy(c.ids[:], ids)) //nolint:gosec // both are small
}
