// Package wordcache remembers the ids of words that a tokenizer encoded lately: texts repeat
// their words. It imports nothing of this module.
package wordcache

import "hash/maphash"

// Cache belongs to one goroutine at a time. A word has one place, where the next word of the same
// hash takes over.
type Cache struct{ slots [slots]Word }

// What a word may have at most, so that it fills one cache line.
const (
	slots    = 1 << 13
	MaxBytes = 30
	maxIDs   = 8
)

// Word is a place for a word and its ids.
type Word struct {
	ids   [maxIDs]int32
	count uint8
	size  uint8 // of the word; 0 is a free place
	word  [MaxBytes]byte
}

var seed = maphash.MakeSeed() // places differ between processes, ids do not

// Slot is the place of a word of at most MaxBytes, whichever stands there.
func (c *Cache) Slot(word string) *Word { return &c.slots[maphash.String(seed, word)%slots] }

// IDs are those of the word, if it is the one that stands here; they must not be changed.
func (w *Word) IDs(word string) ([]int32, bool) {
	if string(w.word[:w.size]) != word {
		return nil, false
	}
	return w.ids[:w.count], true
}

// Keep puts a word here, unless it has too many ids. The word is not empty.
func (w *Word) Keep(word string, ids []int32) {
	if len(ids) > maxIDs {
		return
	}
	w.size, w.count = uint8(copy(w.word[:], word)), uint8(copy(w.ids[:], ids)) //nolint:gosec // both are small
}
