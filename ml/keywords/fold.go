package keywords

import (
	"unicode"
	"unicode/utf8"
)

// span is one word of a text: its folded bytes in buf, its place in the text,
// and the hash of its folded bytes.
type span struct {
	from, to   int // in buf
	start, end int // in the text
	hash       uint64
}

// FNV-1a (Fowler, Noll, Vo).
const (
	offset64 = 14695981039346656037
	prime64  = 1099511628211
)

// folded maps ASCII to its folded byte; 0 parts words.
var folded = func() (t [128]byte) {
	for c := range t {
		b := byte(c)
		switch {
		case b >= 'a' && b <= 'z' || b >= '0' && b <= '9':
			t[c] = b
		case b >= 'A' && b <= 'Z':
			t[c] = b + 'a' - 'A'
		}
	}
	return t
}()

// fold folds one rune for comparison; ok is false if it parts words. Simple
// case folding by way of the upper case brings long s to s and final sigma to
// sigma.
func fold(r rune) (rune, bool) {
	if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r) {
		return unicode.ToLower(unicode.ToUpper(r)), true
	}
	return 0, false
}

// words parts a text into folded words, appended to buf and spans.
func words(text string, buf []byte, spans []span) ([]byte, []span) {
	for i := 0; i < len(text); {
		// Skip what parts words.
		c := text[i]
		if c < utf8.RuneSelf && folded[c] == 0 {
			i++
			continue
		}
		s := span{from: len(buf), start: i, hash: offset64}
		for i < len(text) {
			c := text[i]
			if c < utf8.RuneSelf {
				f := folded[c]
				if f == 0 {
					break
				}
				buf = append(buf, f)
				s.hash = (s.hash ^ uint64(f)) * prime64
				i++
				continue
			}
			r, n := utf8.DecodeRuneInString(text[i:])
			f, ok := fold(r)
			if !ok {
				if len(buf) == s.from {
					i += n
				}
				break
			}
			at := len(buf)
			buf = utf8.AppendRune(buf, f)
			for _, b := range buf[at:] {
				s.hash = (s.hash ^ uint64(b)) * prime64
			}
			i += n
		}
		if len(buf) > s.from {
			s.to, s.end = len(buf), i
			spans = append(spans, s)
		}
	}
	return buf, spans
}
