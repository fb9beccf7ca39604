package tokenize

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sort"
	"unicode"
	"unicode/utf8"
)

// tokenSet finds added tokens as Hugging Face's `tokenizers` does: from left to right the longest
// one, whatever white space earlier ones took with them.
type tokenSet struct {
	tokens []added // by content
	from   [257]int32
}

// maxAddedBytes bounds what a place of a text costs.
const maxAddedBytes = 1 << 10

func newTokenSet(tokens []added) (*tokenSet, error) {
	s := &tokenSet{tokens: slices.Clone(tokens)}
	slices.SortFunc(s.tokens, func(a, b added) int { return cmp.Compare(a.content, b.content) })
	for i, t := range s.tokens {
		if t.content == "" || len(t.content) > maxAddedBytes {
			return nil, fmt.Errorf("tokenizer.json: added token %d has %d bytes once normalised, 1 to %d are needed", t.id, len(t.content), maxAddedBytes)
		}
		if i > 0 && s.tokens[i-1].content == t.content {
			return nil, fmt.Errorf("tokenizer.json: the added tokens %d and %d are the same text %q", s.tokens[i-1].id, t.id, t.content)
		}
	}
	for _, t := range s.tokens {
		s.from[int(t.content[0])+1]++
	}
	for i := range 256 {
		s.from[i+1] += s.from[i]
	}
	return s, nil
}

// cut calls visit with each part of a text between tokens, and with nil and the id of each token,
// in order, until it returns false.
func (s *tokenSet) cut(text []byte, visit func(part []byte, id int32) bool) {
	done := 0 // what was visited
	for i := 0; i < len(text) && len(s.tokens) > 0; {
		t := s.longest(text[i:])
		if t == nil {
			i++
			continue
		}
		from, to := i, i+len(t.content)
		i = to
		if t.word && (endsWithWord(text[:from]) || beginsWithWord(text[to:])) {
			continue
		}
		if t.left {
			from = max(len(bytes.TrimRightFunc(text[:from], unicode.IsSpace)), done)
		}
		if t.right {
			to = len(text) - len(bytes.TrimLeftFunc(text[to:], unicode.IsSpace))
		}
		if done < from && !visit(text[done:from], 0) || !visit(nil, t.id) {
			return
		}
		done = to
	}
	if done < len(text) {
		visit(text[done:], 0)
	}
}

// longest is the longest token that a text begins with, nil if there is none.
func (s *tokenSet) longest(text []byte) (found *added) {
	low, high := int(s.from[text[0]]), int(s.from[int(text[0])+1])
	for k := 1; low < high; k++ {
		// tokens[low:high] begin with text[:k]; one of k bytes is the first of them.
		if len(s.tokens[low].content) == k {
			found = &s.tokens[low]
			low++
		}
		if k >= len(text) {
			break
		}
		among := s.tokens[low:high]
		first := sort.Search(len(among), func(i int) bool { return among[i].content[k] >= text[k] })
		high = low + sort.Search(len(among), func(i int) bool { return among[i].content[k] > text[k] })
		low += first
	}
	return found
}

// beginsWithWord and endsWithWord are what \w is at the ends of a text.
func beginsWithWord(text []byte) bool {
	r, width := utf8.DecodeRune(text)
	return width > 0 && isWord(r)
}

func endsWithWord(text []byte) bool {
	r, width := utf8.DecodeLastRune(text)
	return width > 0 && isWord(r)
}

// isWord is \w of Unicode Technical Standard 18.
func isWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.Is(unicode.Nd, r) || unicode.Is(unicode.Nl, r) || unicode.Is(unicode.Pc, r) ||
		unicode.Is(unicode.Other_Alphabetic, r) || unicode.Is(unicode.Join_Control, r)
}
