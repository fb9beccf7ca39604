package tokenize

import (
	"cmp"
	"slices"
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
	starts  string           // first bytes of the added tokens
	tokens  []added          // longest first
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
	w.tokens = slices.Clone(s.added)
	slices.SortStableFunc(w.tokens, func(a, b added) int { return cmp.Compare(len(b.content), len(a.content)) })
	for _, a := range w.tokens {
		if strings.IndexByte(w.starts, a.content[0]) < 0 {
			w.starts += a.content[:1]
		}
	}
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
	from := 0 // where the segment that is being read begins
	for i := 0; i < len(text); {
		at := w.nextStart(text[i:])
		if at < 0 {
			break
		}
		i += at
		k := slices.IndexFunc(w.tokens, func(a added) bool { return strings.HasPrefix(text[i:], a.content) })
		if k < 0 {
			i++
			continue
		}
		dst = w.segment(dst, text[from:i], sc, stop)
		dst = append(dst, w.tokens[k].id)
		i += len(w.tokens[k].content)
		from = i
		if stop >= 0 && len(dst) >= stop {
			return dst
		}
	}
	return w.segment(dst, text[from:], sc, stop)
}

// nextStart is the next byte at which an added token may begin.
func (w *wordPiece) nextStart(s string) int {
	if len(w.starts) == 1 {
		return strings.IndexByte(s, w.starts[0])
	}
	for i := range len(s) {
		if strings.IndexByte(w.starts, s[i]) >= 0 {
			return i
		}
	}
	return -1
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
