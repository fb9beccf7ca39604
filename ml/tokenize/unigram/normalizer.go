package unigram

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// step is one normaliser.
type step interface {
	// apply appends to dst what becomes of src.
	apply(dst, src []byte) []byte
	// dropsFirst says whether what src begins with is lost, so that what is left no longer begins
	// where the text does.
	dropsFirst(src []byte) bool
}

// replace puts content in the place of every from; of runs of one rune, at least least of them,
// where it is above 0.
type replace struct {
	from, content []byte
	least         int
}

func (r replace) apply(dst, src []byte) []byte {
	for len(src) > 0 {
		at := bytes.Index(src, r.from)
		if at < 0 {
			break
		}
		n := len(r.from)
		if r.least > 0 {
			for bytes.HasPrefix(src[at+n:], r.from) {
				n += len(r.from)
			}
		}
		if n < r.least*len(r.from) {
			dst = append(dst, src[:at+n]...)
		} else {
			dst = append(append(dst, src[:at]...), r.content...)
		}
		src = src[at+n:]
	}
	return append(dst, src...)
}

func (r replace) dropsFirst(src []byte) bool {
	return len(r.content) == 0 && bytes.HasPrefix(src, bytes.Repeat(r.from, max(r.least, 1)))
}

// wordwise says whether words can be treated one by one.
func (r replace) wordwise() bool {
	return !bytes.Contains(r.from, []byte(" ")) || r.least > 1 && string(r.from) == " "
}

// strip takes white space away from the ends.
type strip struct{ left, right bool }

func (s strip) apply(dst, src []byte) []byte {
	if s.left {
		src = bytes.TrimLeftFunc(src, unicode.IsSpace)
	}
	if s.right {
		src = bytes.TrimRightFunc(src, unicode.IsSpace)
	}
	return append(dst, src...)
}

func (s strip) dropsFirst(src []byte) bool {
	r, _ := utf8.DecodeRune(src)
	return s.left && unicode.IsSpace(r)
}
