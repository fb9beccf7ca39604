// Package titles brings titles into one spacing and one form of their letters.
package titles

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Normalize undoes the tokenised spacing of GDELT's titles (`USA : s` is
// `USA:s`, `a - kassa` is `a-kassa`, `said " yes " .` is `said "yes".`), mends
// invalid UTF-8, composes accents (NFC), drops control characters and collapses
// white space. Titles with ordinary spacing pass unchanged, and so does the
// result of Normalize.
func Normalize(title string) string {
	if ordinary(title) {
		return title
	}
	return normalizeAny(title)
}

// normalizeAny is Normalize of any title, ordinary ones too.
func normalizeAny(title string) string {
	title = strings.ToValidUTF8(title, "\uFFFD")
	title = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		if r == '\u00ad' || r == '\u200b' || r == '\ufeff' { // soft hyphen, zero-width space, BOM
			return -1
		}
		return r
	}, title)
	title = norm.NFC.String(title)
	// Joining two tokens can make a third join possible; a few rounds settle
	// every real title, and the cap keeps hostile ones cheap.
	for range 8 {
		joined := joinTokens(strings.Fields(title))
		if joined == title {
			break
		}
		title = joined
	}
	return title
}

// ordinary reports whether a title is surely as it should be: words of ASCII, Latin letters
// and usual marks, one blank apart, and no mark that stands alone.
func ordinary(title string) bool {
	begin := 0 // of the token
	for i := 0; i < len(title); {
		switch c := title[i]; {
		case c == ' ':
			if !wordlike(title[begin:i]) {
				return false
			}
			i++
			begin = i
		case c > ' ' && c < 0x7f:
			i++
		case c >= 0xc3 && c <= 0xc8 && i+1 < len(title) && title[i+1]&0xc0 == 0x80: // À to ȿ
			i += 2
		case c == 0xe2 && i+2 < len(title) && title[i+1] == 0x80 && title[i+2] >= 0x93 && title[i+2] <= 0xa6: // – to …
			i += 3
		default:
			return false
		}
	}
	return wordlike(title[begin:])
}

// wordlike reports whether a token is surely none that joins others: it is not empty, and
// no mark alone.
func wordlike(token string) bool {
	if len(token) == 0 || len(token) > 3 {
		return len(token) > 0
	}
	c := token[0] | 0x20
	return c >= 'a' && c <= 'z' || token[0] >= '0' && token[0] <= '9'
}

// genitives are the endings that Swedish sets after a colon: USA:s, tv:n.
var genitives = []string{"s", "n", "en", "et", "t", "a", "er", "ar", "are", "as", "ns", "ens", "arna", "erna"}

// contractions are what follows an apostrophe inside a word.
var contractions = []string{"s", "t", "re", "ve", "ll", "d", "m", "S", "T"}

// joinTokens sets tokens that belong together side by side and a blank between the
// others. It takes time in proportion to the text, however long it grows a token.
func joinTokens(tokens []string) string {
	size := len(tokens)
	for _, t := range tokens {
		size += len(t)
	}
	out := make([]byte, 0, size)
	begin := 0 // of the last token in out
	quotes := lonePairs(tokens)
	glue := false // the next token belongs to the last of out
	for i, t := range tokens {
		next, last := at(tokens, i+1), out[begin:]
		left, right := false, false
		switch t {
		case ".", ",", ";", "!", "?", "…", ")", "]", "}", "..", "...":
			left = len(last) > 0
			right = (t == "." || t == ",") && unicode.IsDigit(lastRune(last)) && unicode.IsDigit(firstRune(next)) && left
		case "(", "[", "{":
			right = next != ""
		case ":":
			left = len(last) > 0
			right = left && (slices.Contains(genitives, next) || unicode.IsDigit(lastRune(last)) && unicode.IsDigit(firstRune(next)))
		case "-":
			join := len(last) > 0 && joinsHyphen(last, next)
			left, right = join, join
		case "'", "’", `"`, "”", "“", "„", "»", "«":
			left, right = quotes[i]&closing != 0 && len(last) > 0, quotes[i]&opening != 0 && next != ""
		}
		if len(last) > 0 && !glue && !left {
			out = append(out, ' ')
			begin = len(out)
		}
		out = append(out, t...)
		glue = right
	}
	return string(out)
}

// at returns the token of that place; it is empty outside.
func at(tokens []string, i int) string {
	if i < 0 || i >= len(tokens) {
		return ""
	}
	return tokens[i]
}

// side says where a quotation mark joins: the next token, the last one, or both.
type side int

const (
	opening side = 1
	closing side = 2
)

// lonePairs pairs the quotation marks that stand alone, first with second,
// third with fourth. A mark left over stays where it is; the apostrophe of a
// contraction joins on both sides.
func lonePairs(tokens []string) map[int]side {
	sides := map[int]side{}
	open := map[string]int{}
	for i, t := range tokens {
		var class string
		switch t {
		case `"`, "”", "“", "„":
			class = `"`
		case "'", "’":
			if unicode.IsLetter(lastRune([]byte(at(tokens, i-1)))) && slices.Contains(contractions, at(tokens, i+1)) {
				sides[i] = opening | closing
				continue
			}
			class = "'"
		case "»", "«":
			class = "»"
		default:
			continue
		}
		if first, ok := open[class]; ok {
			sides[first], sides[i] = opening, closing
			delete(open, class)
		} else {
			open[class] = i
		}
	}
	return sides
}

// joinsHyphen tells a compound (a - kassa, EU - val, 20 - årig, Saab - chefen)
// from a dash between clauses: a compound goes on in lower case after a short
// word, a name or a number.
func joinsHyphen(last []byte, next string) bool {
	start, _ := utf8.DecodeRune(last)
	end, after := lastRune(last), firstRune(next)
	if !unicode.IsLower(after) && !unicode.IsDigit(after) || !unicode.IsLetter(end) && !unicode.IsDigit(end) {
		return false
	}
	short := len(last) <= 3*utf8.UTFMax && utf8.RuneCount(last) <= 3
	return short || unicode.IsUpper(start) || unicode.IsDigit(start)
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

func lastRune(b []byte) rune {
	r, _ := utf8.DecodeLastRune(b)
	return r
}
