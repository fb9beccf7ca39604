package tokenize

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
)

// addedTokens finds the added tokens in raw texts, the first and longest each time.
type addedTokens struct {
	starts string  // first bytes
	tokens []added // longest first
}

func newAddedTokens(tokens []added) addedTokens {
	a := addedTokens{tokens: slices.Clone(tokens)}
	slices.SortStableFunc(a.tokens, func(a, b added) int { return cmp.Compare(len(b.content), len(a.content)) })
	for _, t := range a.tokens {
		if strings.IndexByte(a.starts, t.content[0]) < 0 {
			a.starts += t.content[:1]
		}
	}
	return a
}

// next finds the first token of a text: it stands from from to to, with the white space that
// belongs to it.
func (a *addedTokens) next(text string) (from, to int, id int32, ok bool) {
	for i := 0; i < len(text); i++ {
		at := a.nextStart(text[i:])
		if at < 0 {
			break
		}
		i += at
		k := slices.IndexFunc(a.tokens, func(t added) bool { return strings.HasPrefix(text[i:], t.content) })
		if k < 0 {
			continue
		}
		t := a.tokens[k]
		from, to = i, i+len(t.content)
		if t.left {
			from = len(strings.TrimRightFunc(text[:from], unicode.IsSpace))
		}
		if t.right {
			to = len(text) - len(strings.TrimLeftFunc(text[to:], unicode.IsSpace))
		}
		return from, to, t.id, true
	}
	return 0, 0, 0, false
}

// nextStart is the next byte at which a token may begin.
func (a *addedTokens) nextStart(s string) int {
	if len(a.starts) == 1 {
		return strings.IndexByte(s, a.starts[0])
	}
	for i := range len(s) {
		if strings.IndexByte(a.starts, s[i]) >= 0 {
			return i
		}
	}
	return -1
}
