package taxonomy

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// IsWord reports whether a rune of a folded text belongs to a word: letters,
// digits and marks do, all else parts words.
func IsWord(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z'
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r))
}

// Ignored reports whether a rune stands for nothing, as the soft hyphen and the
// zero-width joiner do (category Cf): "o\u00advänta" is one word.
func Ignored(r rune) bool { return unicode.Is(unicode.Cf, r) }

// Fold brings a text into the form in which words are compared: full case
// folding (Unicode 15, chapter 3.13: ß is ss, final sigma is sigma) of its
// canonical composition, so that a letter and its combining mark are the letter
// with the mark. The dot that folding leaves on the i of İ is dropped: İstanbul
// is istanbul. Ignored runes vanish, bytes that are no UTF-8 become spaces.
func Fold(text string) string {
	if strings.IndexFunc(text, foldsSpecially) < 0 {
		return strings.ToLower(text)
	}
	text = strings.Map(func(r rune) rune {
		if Ignored(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, " "))
	return string(AppendFolded(nil, []byte(text)))
}

// foldsSpecially runes do more than become lower case. Beyond U+017F all are taken for
// such.
func foldsSpecially(r rune) bool {
	switch r {
	case '\u00ad', 'µ', 'ß', 'İ', 'ŉ', 'ſ':
		return true
	}
	return r > 0x17f
}

// AppendFolded appends the folded form of valid UTF-8 without ignored runes. A
// text may be folded in pieces that end where norm.NFC has boundaries.
func AppendFolded(dst, text []byte) []byte {
	folded := norm.NFC.Bytes(cases.Fold().Bytes(norm.NFD.Bytes(text)))
	return append(dst, bytes.ReplaceAll(folded, []byte("i\u0307"), []byte("i"))...)
}

// Words parts a text into its folded words.
func Words(text string) []string {
	return strings.FieldsFunc(Fold(text), func(r rune) bool { return !IsWord(r) })
}
