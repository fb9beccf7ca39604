package tokenize

import (
	"strings"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/ml/tokenize/unigram"
)

// unigramEngine puts the added tokens before a unigram model, which does the rest.
type unigramEngine struct {
	model  *unigram.Model
	tokens addedTokens
}

func newUnigram(s spec) *unigramEngine {
	return &unigramEngine{model: s.unigram, tokens: newAddedTokens(s.added)}
}

func (u *unigramEngine) encode(dst []int32, text string, limit int) []int32 {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	stop := len(dst) + limit
	left := func() int {
		if limit < 0 {
			return -1
		}
		return max(stop-len(dst), 0)
	}
	for first := true; ; first = false {
		from, to, id, ok := u.tokens.next(text)
		if !ok {
			return u.model.Append(dst, text, first, left())
		}
		dst = append(u.model.Append(dst, text[:from], first, left()), id)
		if text = text[to:]; limit >= 0 && len(dst) >= stop {
			return dst
		}
	}
}
