// Package normalize holds the normalisers of a tokenizer.json, each as Hugging Face's
// `tokenizers` has it.
//
// parse.go reads them; steps.go has the simple ones, charsmap.go SentencePiece's table of
// replacements over graphemes.go, normal_forms.go Unicode's (tables.go is generated). It imports
// ml/tokenize/tokenizerjson.
package normalize

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// Step is one normaliser.
type Step interface {
	// Apply appends to dst what becomes of src.
	Apply(dst, src []byte) []byte
	// DropsFirst says whether what src begins with is lost, so that what is left no longer begins
	// where the text does.
	DropsFirst(src []byte) bool
}

// replace puts content in the place of every from; of runs of one rune, at least least of them,
// where it is above 0.
type replace struct {
	from, content []byte
	least         int
}

func (r replace) Apply(dst, src []byte) []byte {
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

func (r replace) DropsFirst(src []byte) bool {
	return len(r.content) == 0 && bytes.HasPrefix(src, bytes.Repeat(r.from, max(r.least, 1)))
}

// Wordwise says whether what stands between two blanks can be normalised by itself, as long as
// FeelsBlanks says that it holds nothing that the neighbours would feel.
func Wordwise(steps []Step) bool {
	for _, s := range steps {
		if r, ok := s.(replace); ok && !r.wordwise() {
			return false
		}
	}
	return true
}

// FeelsBlanks says whether a word makes one grapheme with a blank beside it.
func FeelsBlanks(word string) bool {
	first, _ := utf8.DecodeRuneInString(word)
	last, _ := utf8.DecodeLastRuneInString(word)
	c := classOf(first)
	return c == extend || c == joiner || c == spacing || classOf(last) == prepend
}

func (r replace) wordwise() bool {
	return !bytes.Contains(r.from, []byte(" ")) || r.least > 1 && string(r.from) == " "
}

// strip takes white space away from the ends.
type strip struct{ left, right bool }

func (s strip) Apply(dst, src []byte) []byte {
	if s.left {
		src = bytes.TrimLeftFunc(src, unicode.IsSpace)
	}
	if s.right {
		src = bytes.TrimRightFunc(src, unicode.IsSpace)
	}
	return append(dst, src...)
}

func (s strip) DropsFirst(src []byte) bool {
	r, _ := utf8.DecodeRune(src)
	return s.left && unicode.IsSpace(r)
}
