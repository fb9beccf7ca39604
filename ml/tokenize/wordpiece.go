package tokenize

import (
	"hash/maphash"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The two roots of the trie: pieces that begin a word and pieces that go on.
const (
	wordRoot = iota
	restRoot
)

// wordPiece is the pure-Go engine: BertNormalizer, BertPreTokenizer and
// WordPiece in one pass over the text.
type wordPiece struct {
	spec
	pieces  *trie
	tokens  addedTokens
	actions [lowRunes]action // of the runes below lowRunes
	scratch sync.Pool
}

// scratch is what one call of encode works in.
type scratch struct {
	word  []byte // room for a word
	clean []byte // slow path: the text after clean-up ...
	nfd   []byte // ... and after decomposition
	words wordCache
}

// newWordPiece builds the engine; the spec must be of the BERT family.
func newWordPiece(s spec) *wordPiece {
	size := 0
	for token := range s.vocab {
		size += 2 * len(token)
	}
	w := &wordPiece{spec: s, pieces: newTrie(2, size)}
	w.scratch.New = func() any { return &scratch{} }
	for token, id := range s.vocab {
		if token != "" {
			w.pieces.add(wordRoot, token, id)
		}
		if rest, ok := strings.CutPrefix(token, s.prefix); ok && rest != "" {
			w.pieces.add(restRoot, rest, id)
		}
	}
	w.tokens = newAddedTokens(s.added)
	for r := range w.actions {
		w.actions[r] = w.actionOf(rune(r))
	}
	return w
}

// encode finds the added tokens in the raw text, the first and longest each
// time, and gives what lies between them to segment.
func (w *wordPiece) encode(dst []int32, text string, limit int) []int32 {
	sc := w.scratch.Get().(*scratch)
	defer w.scratch.Put(sc)
	stop := -1
	if limit >= 0 {
		stop = len(dst) + limit
	}
	for {
		from, to, id, ok := w.tokens.next(text)
		if !ok {
			return w.segment(dst, text, sc, stop)
		}
		dst = append(w.segment(dst, text[:from], sc, stop), id)
		if text = text[to:]; stop >= 0 && len(dst) >= stop {
			return dst
		}
	}
}

// segment encodes text without added tokens. Rune by rune is enough unless
// accents are stripped and a rune takes part in canonical ordering; only then the
// whole segment is decomposed first.
func (w *wordPiece) segment(dst []int32, s string, sc *scratch, stop int) []int32 {
	begin := len(dst)
	word, chars := sc.word[:0], 0
	for i := 0; i < len(s); {
		var a action
		if c := s[i]; c < utf8.RuneSelf {
			i++
			if a = w.actions[c]; a.kind == keep { // most of most texts
				if chars++; chars <= w.maxChars {
					word = append(word, a.text[0])
				}
				continue
			}
		} else {
			r, n := utf8.DecodeRuneInString(s[i:])
			i += n
			if r < lowRunes {
				a = w.actions[r]
			} else {
				a = w.actionOf(r)
			}
		}
		switch a.kind {
		case keep:
			if chars += int(a.runes); chars <= w.maxChars {
				word = append(word, a.text[:a.size]...)
			}
			continue
		case drop:
			continue
		case space:
			dst = w.encodeWord(dst, word, chars, sc)
		case alone:
			dst = w.encodeWord(dst, word, chars, sc)
			dst = w.encodeWord(dst, a.text[:a.size], 1, sc)
		case order:
			sc.word = word
			return w.segmentDecomposed(dst[:begin], s, sc, stop)
		}
		word, chars = word[:0], 0
		if stop >= 0 && len(dst) >= stop {
			break
		}
	}
	sc.word = word
	return w.encodeWord(dst, word, chars, sc)
}

// segmentDecomposed is segment by the book: clean up, decompose, then word by word.
func (w *wordPiece) segmentDecomposed(dst []int32, s string, sc *scratch, stop int) []int32 {
	sc.clean = sc.clean[:0]
	word, chars := sc.word[:0], 0
	for _, r := range s {
		if w.clean {
			if isControl(r) {
				continue
			}
			if isSpace(r) {
				r = ' '
			}
		}
		if w.cjk && isCJK(r) {
			sc.clean = append(utf8.AppendRune(append(sc.clean, ' '), r), ' ')
			continue
		}
		sc.clean = utf8.AppendRune(sc.clean, r)
	}
	sc.nfd = norm.NFD.Append(sc.nfd[:0], sc.clean...)
	for i := 0; i < len(sc.nfd); {
		r, n := utf8.DecodeRune(sc.nfd[i:])
		i += n
		if isMark(r) {
			continue
		}
		lowered, count := w.lowered(r)
		for _, r := range lowered[:count] {
			switch {
			case isSpace(r):
				dst = w.encodeWord(dst, word, chars, sc)
				word, chars = word[:0], 0
			case isPunct(r):
				dst = w.encodeWord(dst, word, chars, sc)
				dst = w.encodeWord(dst, utf8.AppendRune(word[:0], r), 1, sc)
				word, chars = word[:0], 0
			default:
				if chars++; chars <= w.maxChars {
					word = utf8.AppendRune(word, r)
				}
			}
		}
		if stop >= 0 && len(dst) >= stop {
			break
		}
	}
	sc.word = word
	return w.encodeWord(dst, word, chars, sc)
}

// encodeWord encodes a word of chars runes, of which at most maxChars are in word. A
// text repeats its words, and other texts do too: most are found in the cache.
func (w *wordPiece) encodeWord(dst []int32, word []byte, chars int, sc *scratch) []int32 {
	switch {
	case chars == 0:
		return dst
	case chars > w.maxChars:
		return append(dst, w.unk)
	case len(word) > cachedBytes:
		return w.greedy(dst, word)
	}
	slot := sc.words.slot(word)
	if slot.holds(word) {
		return append(dst, slot.ids[:slot.count]...)
	}
	begin := len(dst)
	dst = w.greedy(dst, word)
	slot.keep(word, dst[begin:])
	return dst
}

// greedy encodes a word from the left, the longest piece first; a word that pieces do
// not make up is one unknown token.
func (w *wordPiece) greedy(dst []int32, word []byte) []int32 {
	begin, root := len(dst), uint32(wordRoot)
	for len(word) > 0 {
		id, n := w.pieces.longest(root, word)
		if n == 0 {
			return append(dst[:begin], w.unk)
		}
		dst = append(dst, id)
		word, root = word[n:], restRoot
	}
	return dst
}

// trie holds byte strings and finds the longest one that a text begins with, in
// one step per byte. Its edges lie in one open-addressing table: compact, quick
// to build, and without a pointer for the collector to follow.
type trie struct {
	edges []uint64 // parent<<8|byte in the high half, child in the low; 0 is free
	mask  uint32
	ids   []int32 // of the string that ends in a node, -1 if none does
}

// newTrie makes a trie whose nodes 0 to roots-1 are separate roots.
func newTrie(roots, bytes int) *trie {
	size := 1 << 10
	for size < 2*bytes {
		size *= 2
	}
	t := &trie{edges: make([]uint64, size), mask: uint32(size - 1)}
	for range roots {
		t.ids = append(t.ids, -1)
	}
	return t
}

func (t *trie) slot(key uint32) uint32 {
	return (key * 0x9E3779B1) >> 7 & t.mask // Fibonacci hashing; the low bits of the product are weak
}

// next follows one byte; 0, which is a root, means that there is no such edge.
func (t *trie) next(node uint32, b byte) uint32 {
	key := node<<8 | uint32(b)
	for i := t.slot(key); ; i = (i + 1) & t.mask {
		e := t.edges[i]
		if e == 0 {
			return 0
		}
		if uint32(e>>32) == key {
			return uint32(e)
		}
	}
}

// add puts s below root. The newTrie size must cover all bytes added.
func (t *trie) add(root uint32, s string, id int32) {
	node := root
	for i := range len(s) {
		child := t.next(node, s[i])
		if child == 0 {
			child = uint32(len(t.ids))
			t.ids = append(t.ids, -1)
			key := node<<8 | uint32(s[i])
			at := t.slot(key)
			for t.edges[at] != 0 {
				at = (at + 1) & t.mask
			}
			t.edges[at] = uint64(key)<<32 | uint64(child)
		}
		node = child
	}
	t.ids[node] = id
}

// longest gives the id and length of the longest string below root that s begins
// with; length 0 is none.
func (t *trie) longest(root uint32, s []byte) (id int32, length int) {
	node := root
	for i, b := range s {
		if node = t.next(node, b); node == 0 {
			break
		}
		if v := t.ids[node]; v >= 0 {
			id, length = v, i+1
		}
	}
	return id, length
}

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
