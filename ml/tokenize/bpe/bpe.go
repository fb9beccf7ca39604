// Package bpe is the pure-Go engine of byte pair encodings (Sennrich et al., arXiv 1508.07909) as
// tokenizer.json files hold them: those over bytes, as GPT-2, RoBERTa and ModernBERT have, and
// those over characters that fall back to bytes, as Gemma and mmBERT have. Ids are those of
// Hugging Face's `tokenizers`.
//
// parse.go reads the parts of the file. bpe.go cuts a text into words, with split.go where a
// pattern says how (tables.go is generated); merge.go joins a word's symbols by merges.go, the
// table of pairs. It imports ml/tokenize's normalize, tokenizerjson and wordcache.
package bpe

import (
	"bytes"
	"sync"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/ml/tokenize/normalize"
	"github.com/sprint-ml/sprint/ml/tokenize/wordcache"
)

// Model encodes texts. It is immutable and safe for concurrent use.
type Model struct {
	steps    []normalize.Step
	bytewise bool     // symbols are bytes, not characters
	prefix   bool     // a blank is put before a text that begins without one
	split    *pattern // how texts are cut into words; nil is not at all
	// afterBlank says that texts are cut behind every blank.
	afterBlank bool
	// mark, if there is one, begins words: no token reaches over what stands before it.
	mark []byte

	merges  merges
	whole   map[string]int32 // words that are tokens as they are, of models that ignore merges there
	single  [256]int32       // symbols of bytes, or of the characters below 128
	runes   map[rune]int32   // symbols of characters
	bytes   *[256]int32      // tokens <0x00> to <0xFF>, or none
	unknown int32            // of characters without a symbol; none if they are left out
	fuse    bool             // unknown characters side by side are one token
	scratch sync.Pool
}

// none is the symbol of what has none.
const none = -1

// Unknown is the id of what no token stands for, -1 if there is none.
func (m *Model) Unknown() int32 { return m.unknown }

// Normalize appends what a text becomes before anything else to dst.
func (m *Model) Normalize(dst, src []byte) []byte {
	for i, s := range m.steps {
		if i == len(m.steps)-1 {
			return s.Apply(dst, src)
		}
		src = s.Apply(nil, src)
	}
	return append(dst, src...)
}

// scratch is what one call of Append works in.
type scratch struct {
	word  word
	text  []byte
	words wordcache.Cache
}

// Append encodes a normalised text without added tokens, valid UTF-8, until at least limit ids
// were appended or the text ends; limit < 0 is none.
func (m *Model) Append(dst []int32, text []byte, limit int) []int32 {
	if len(text) == 0 {
		return dst
	}
	sc, _ := m.scratch.Get().(*scratch)
	defer m.scratch.Put(sc)
	if m.prefix && text[0] != ' ' {
		sc.text = append(append(sc.text[:0], ' '), text...)
		text = sc.text
	}
	stop := len(dst) + limit
	for len(text) > 0 && (limit < 0 || len(dst) < stop) {
		part := text
		if at := bytes.IndexByte(text, ' '); m.afterBlank && at >= 0 {
			part = text[:at+1]
		}
		text = text[len(part):]
		for len(part) > 0 && (limit < 0 || len(dst) < stop) {
			n := m.wordEnd(part)
			dst = m.appendCached(dst, part[:n], sc)
			part = part[n:]
		}
	}
	if cap(sc.text) > keptBytes {
		sc.text = nil
	}
	return dst
}

// wordEnd is where the first word of a text ends.
func (m *Model) wordEnd(text []byte) int {
	switch {
	case m.split != nil:
		return m.split.next(text)
	case m.mark == nil:
		return len(text)
	}
	n := 0
	for bytes.HasPrefix(text[n:], m.mark) {
		n += len(m.mark)
	}
	if at := bytes.Index(text[n:], m.mark); at >= 0 {
		return n + at
	}
	return len(text)
}

// appendCached is appendWord for a word that may stand in the cache.
func (m *Model) appendCached(dst []int32, text []byte, sc *scratch) []int32 {
	if len(text) > wordcache.MaxBytes {
		return m.appendWord(dst, text, sc)
	}
	key := string(text)
	slot := sc.words.Slot(key)
	if ids, ok := slot.IDs(key); ok {
		return append(dst, ids...)
	}
	begin := len(dst)
	dst = m.appendWord(dst, text, sc)
	slot.Keep(key, dst[begin:])
	return dst
}

// appendWord encodes a word.
func (m *Model) appendWord(dst []int32, text []byte, sc *scratch) []int32 {
	if id, ok := m.whole[string(text)]; ok {
		return append(dst, id)
	}
	sc.word.reset()
	if m.bytewise {
		m.addBytes(&sc.word, text)
	} else {
		m.addRunes(&sc.word, text)
	}
	sc.word.merge(&m.merges)
	dst = sc.word.appendIDs(dst)
	sc.word.shrink()
	return dst
}

// addBytes adds the symbols of a text's bytes.
func (m *Model) addBytes(w *word, text []byte) {
	for _, c := range text {
		if id := m.single[c]; id != none {
			w.known(id)
		} else {
			w.unknown(m.unknown, m.fuse)
		}
	}
	w.flush()
}

// addRunes adds the symbols of a text's characters. Bytes do not end a run of unknown characters
// before them, which then comes behind them: as in the original.
func (m *Model) addRunes(w *word, text []byte) {
	for i := 0; i < len(text); {
		r, width := rune(text[i]), 1
		id := m.single[text[i]]
		if r >= utf8.RuneSelf {
			r, width = utf8.DecodeRune(text[i:])
			var ok bool
			if id, ok = m.runes[r]; !ok {
				id = none
			}
		}
		switch {
		case id != none:
			w.known(id)
		case m.hasBytes(text[i : i+width]):
			for _, c := range text[i : i+width] {
				w.add(m.bytes[c])
			}
		default:
			w.unknown(m.unknown, m.fuse)
		}
		i += width
	}
	w.flush()
}

func (m *Model) hasBytes(text []byte) bool {
	if m.bytes == nil {
		return false
	}
	for _, c := range text {
		if m.bytes[c] == none {
			return false
		}
	}
	return true
}
