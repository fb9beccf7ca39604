package tokenize

import (
	"errors"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/ml/tokenize/bpe"
)

// bpeEngine finds added tokens in the text as it is, then those that stand in the normalised text,
// and gives what stands between to a byte pair encoding.
type bpeEngine struct {
	model      *bpe.Model
	raw        *tokenSet
	normalized *tokenSet
	buffers    sync.Pool
}

func newBPE(s spec) (engine, error) {
	b := &bpeEngine{model: s.bpe, buffers: sync.Pool{New: func() any { return &bpeBuffers{} }}}
	var raw, normalized []added
	for _, a := range s.added {
		if a.normalized {
			a.content = string(b.model.Normalize(nil, []byte(a.content)))
			normalized = append(normalized, a)
		} else {
			raw = append(raw, a)
		}
	}
	var errRaw, errNormalized error
	b.raw, errRaw = newTokenSet(raw)
	b.normalized, errNormalized = newTokenSet(normalized)
	return b, errors.Join(errRaw, errNormalized)
}

// bpeBuffers are texts as they are and normalised.
type bpeBuffers struct{ raw, normalized []byte }

func (b *bpeEngine) encode(dst []int32, text string, limit int) []int32 {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	buffers, _ := b.buffers.Get().(*bpeBuffers)
	defer b.buffers.Put(buffers)
	stop := len(dst) + limit
	full := func() bool { return limit >= 0 && len(dst) >= stop }
	left := func() int {
		if limit < 0 {
			return -1
		}
		return stop - len(dst)
	}
	buffers.raw = append(buffers.raw[:0], text...)
	b.raw.cut(buffers.raw, func(part []byte, id int32) bool {
		if part == nil {
			dst = append(dst, id)
			return !full()
		}
		buffers.normalized = b.model.Normalize(buffers.normalized[:0], part)
		b.normalized.cut(buffers.normalized, func(part []byte, id int32) bool {
			if part == nil {
				dst = append(dst, id)
			} else {
				dst = b.model.Append(dst, part, left())
			}
			return !full()
		})
		return !full()
	})
	if cap(buffers.raw)+cap(buffers.normalized) > 1<<20 {
		*buffers = bpeBuffers{} // a long text must not be kept for ever
	}
	return dst
}
