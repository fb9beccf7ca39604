// Package unigram is the pure-Go engine of SentencePiece's unigram models as tokenizer.json
// files hold them: those of XLM-RoBERTa, multilingual E5 and their like. Ids are those of
// Hugging Face's `tokenizers`.
//
// parse.go reads the parts of the file. unigram.go cuts a text into words, lattice.go finds a
// word's most likely pieces in double_array.go. It imports ml/tokenize's normalize, tokenizerjson
// and wordcache.
package unigram

import (
	"bytes"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/ml/tokenize/normalize"
	"github.com/sprint-ml/sprint/ml/tokenize/wordcache"
)

// Model encodes texts. It is immutable and safe for concurrent use.
type Model struct {
	steps []normalize.Step
	meta  metaspace
	// wordwise says that what stands between two blanks can be encoded by itself, as long as it
	// holds nothing that the neighbours would feel.
	wordwise bool
	pieces   *doubleArray
	scores   []float64
	unknown  int32
	unkScore float64
	bytes    *[256]int32 // the ids of <0x00> to <0xFF> of models with byte_fallback
	scratch  sync.Pool
}

// Unknown is the id of what no piece stands for.
func (m *Model) Unknown() int32 { return m.unknown }

// Least is the id of a piece of the least score: unknown characters cost more by a fixed penalty.
func (m *Model) Least() int32 {
	least := 0
	for id, s := range m.scores {
		if s < m.scores[least] {
			least = id
		}
	}
	return int32(least) //nolint:gosec // below the number of pieces
}

// metaspace is how words are cut.
type metaspace struct {
	mark   []byte // stands for a blank: ▁
	scheme string // of the mark before a text that begins without one
	whole  bool   // texts are not cut at marks
	trim   bool   // words are cut at all white space first, which then is no part of them
}

// The prefix schemes of Metaspace.
const (
	schemeAlways = "always"
	schemeFirst  = "first"
	schemeNever  = "never"
)

// scratch is what one call of Append works in.
type scratch struct {
	a, b  []byte // a text between two steps
	nodes []node
	words wordcache.Cache
}

// Append encodes a text without added tokens, valid UTF-8, until at least limit ids were appended
// or the text ends; limit < 0 is none. first says that it begins where the whole text does.
func (m *Model) Append(dst []int32, text string, first bool, limit int) []int32 {
	if text == "" {
		return dst
	}
	sc, _ := m.scratch.Get().(*scratch)
	defer m.scratch.Put(sc)
	stop := -1
	if limit >= 0 {
		stop = len(dst) + limit
	}
	if m.wordwise {
		if out, ok := m.appendWords(dst, text, stop, sc); ok {
			return out
		}
	}
	return m.appendText(dst, text, first, stop, sc)
}

// appendWords encodes what stands between blanks, word by word; ok is false where that is not
// what the whole text would give.
func (m *Model) appendWords(dst []int32, text string, stop int, sc *scratch) (out []int32, ok bool) {
	for i := 0; ; i++ {
		n := 0
		for i+n < len(text) && text[i+n] != ' ' {
			n++
		}
		word := text[i : i+n]
		switch {
		case n == 0 && !m.meta.trim:
			return dst, false // two blanks, or one at an end
		case n > 0:
			if dst, ok = m.appendWord(dst, word, sc); !ok {
				return dst, false
			}
			if stop >= 0 && len(dst) >= stop {
				return dst, true
			}
		}
		if i += n; i >= len(text) {
			return dst, true
		}
	}
}

// appendWord encodes a word that stands alone. Texts repeat their words: most are in the cache.
func (m *Model) appendWord(dst []int32, word string, sc *scratch) (out []int32, ok bool) {
	var slot *wordcache.Word
	if len(word) <= wordcache.MaxBytes {
		slot = sc.words.Slot(word)
		if ids, ok := slot.IDs(word); ok {
			return append(dst, ids...), true
		}
	}
	if normalize.FeelsBlanks(word) {
		return dst, false
	}
	sc.a = append(sc.a[:0], word...)
	for _, s := range m.steps {
		sc.b = s.Apply(sc.b[:0], sc.a)
		sc.a, sc.b = sc.b, sc.a
		if !m.regular(sc.a) {
			return dst, false
		}
	}
	if len(m.steps) == 0 && !m.regular(sc.a) {
		return dst, false
	}
	sc.b = append(append(sc.b[:0], m.meta.mark...), sc.a...)
	begin := len(dst)
	dst = m.appendPieces(dst, sc.b, sc)
	if slot != nil {
		slot.Keep(word, dst[begin:])
	}
	return dst, true
}

// regular says whether a word's text is still one word.
func (m *Model) regular(word []byte) bool {
	if len(word) == 0 || bytes.Contains(word, m.meta.mark) {
		return false
	}
	for i, c := range word {
		if c < utf8.RuneSelf {
			if c <= ' ' && (c == ' ' || c >= '\t' && c <= '\r') {
				return false
			}
		} else if c >= 0xc0 {
			if r, _ := utf8.DecodeRune(word[i:]); unicode.IsSpace(r) {
				return false
			}
		}
	}
	return true
}

// appendText encodes a text by the book: every step over the whole, then the cutting.
func (m *Model) appendText(dst []int32, text string, first bool, stop int, sc *scratch) []int32 {
	sc.a = append(sc.a[:0], text...)
	for _, s := range m.steps {
		if first && m.meta.scheme == schemeFirst && s.DropsFirst(sc.a) {
			first = false
		}
		sc.b = s.Apply(sc.b[:0], sc.a)
		sc.a, sc.b = sc.b, sc.a
	}
	if !m.meta.trim {
		return m.appendMarked(dst, sc.a, first, stop, sc)
	}
	for rest := sc.a; len(rest) > 0; {
		n := bytes.IndexFunc(rest, unicode.IsSpace)
		if n < 0 {
			n = len(rest)
		}
		if n > 0 {
			dst = m.appendMarked(dst, rest[:n], first, stop, sc)
			if stop >= 0 && len(dst) >= stop {
				return dst
			}
		}
		_, blank := utf8.DecodeRune(rest[n:])
		rest = rest[n+blank:]
	}
	return dst
}

// appendMarked encodes a text whose blanks become marks, at which it is cut.
func (m *Model) appendMarked(dst []int32, text []byte, first bool, stop int, sc *scratch) []int32 {
	if len(text) == 0 {
		return dst
	}
	mark := m.meta.mark
	marked := sc.b[:0]
	if begins := text[0] == ' ' || bytes.HasPrefix(text, mark); !begins && (m.meta.scheme == schemeAlways || m.meta.scheme == schemeFirst && first) {
		marked = append(marked, mark...)
	}
	for _, c := range text {
		if c == ' ' {
			marked = append(marked, mark...)
		} else {
			marked = append(marked, c)
		}
	}
	sc.b = marked
	if m.meta.whole {
		return m.appendPieces(dst, marked, sc)
	}
	for len(marked) > 0 {
		n := len(marked)
		if at := bytes.Index(marked[1:], mark); at >= 0 {
			n = at + 1
		}
		dst = m.appendCached(dst, marked[:n], sc)
		if marked = marked[n:]; stop >= 0 && len(dst) >= stop {
			return dst
		}
	}
	return dst
}

// noText begins the keys of normalised words in the cache: no text holds this byte.
const noText = 0xff

// appendCached is appendPieces for a word that may stand in the cache, where noText and the word
// without its mark are its key: a word as it stands in a text may not be normalised.
func (m *Model) appendCached(dst []int32, text []byte, sc *scratch) []int32 {
	last := len(m.meta.mark) - 1
	if len(text)-last > wordcache.MaxBytes || !bytes.HasPrefix(text, m.meta.mark) {
		return m.appendPieces(dst, text, sc)
	}
	text[last] = noText
	key := string(text[last:])
	text[last] = m.meta.mark[last]
	slot := sc.words.Slot(key)
	if ids, ok := slot.IDs(key); ok {
		return append(dst, ids...)
	}
	begin := len(dst)
	dst = m.appendPieces(dst, text, sc)
	slot.Keep(key, dst[begin:])
	return dst
}
