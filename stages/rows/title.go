package rows

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// NormalizeTitle undoes the tokenised spacing of GDELT's titles (`USA : s` is
// `USA:s`, `a - kassa` is `a-kassa`, `said " yes " .` is `said "yes".`), mends
// invalid UTF-8, composes accents (NFC), drops control characters and collapses
// white space. Titles with ordinary spacing pass unchanged, and so does the
// result of NormalizeTitle.
func NormalizeTitle(title string) string {
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
		joined := strings.Join(joinTokens(strings.Fields(title)), " ")
		if joined == title {
			break
		}
		title = joined
	}
	return title
}

// genitives are the endings that Swedish sets after a colon: USA:s, tv:n.
var genitives = []string{"s", "n", "en", "et", "t", "a", "er", "ar", "are", "as", "ns", "ens", "arna", "erna"}

// contractions are what follows an apostrophe inside a word.
var contractions = []string{"s", "t", "re", "ve", "ll", "d", "m", "S", "T"}

func joinTokens(tokens []string) []string {
	out := make([]string, 0, len(tokens))
	quotes := lonePairs(tokens)
	glue := false // the next token belongs to the last of out
	for i, t := range tokens {
		var next string
		if i+1 < len(tokens) {
			next = tokens[i+1]
		}
		var last string
		if len(out) > 0 {
			last = out[len(out)-1]
		}
		left, right := false, false
		switch t {
		case ".", ",", ";", "!", "?", "…", ")", "]", "}", "..", "...":
			left = last != ""
			right = (t == "." || t == ",") && endsInDigit(last) && startsWithDigit(next) && left
		case "(", "[", "{":
			right = next != ""
		case ":":
			left = last != ""
			right = left && (slices.Contains(genitives, next) || endsInDigit(last) && startsWithDigit(next))
		case "-":
			join := last != "" && joinsHyphen(last, next)
			left, right = join, join
		case "'", "’":
			if last != "" && endsInLetter(last) && slices.Contains(contractions, next) {
				left, right = true, true
				break
			}
			left, right = quotes[i] == closing && last != "", quotes[i] == opening && next != ""
		case `"`, "”", "“", "„", "»", "«":
			left, right = quotes[i] == closing && last != "", quotes[i] == opening && next != ""
		}
		if (glue || left) && last != "" {
			out[len(out)-1] += t
		} else {
			out = append(out, t)
		}
		glue = right
	}
	return out
}

type side int

const (
	unpaired side = iota
	opening
	closing
)

// lonePairs pairs the quotation marks that stand alone, first with second,
// third with fourth. A mark left over stays where it is.
func lonePairs(tokens []string) map[int]side {
	sides := map[int]side{}
	open := map[string]int{}
	for i, t := range tokens {
		var class string
		switch t {
		case `"`, "”", "“", "„":
			class = `"`
		case "'", "’":
			if i > 0 && i+1 < len(tokens) && endsInLetter(tokens[i-1]) && slices.Contains(contractions, tokens[i+1]) {
				continue
			}
			class = "'"
		case "»", "«":
			class = "»"
		default:
			continue
		}
		if at, ok := open[class]; ok {
			sides[at], sides[i] = opening, closing
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
func joinsHyphen(last, next string) bool {
	n, _ := utf8.DecodeRuneInString(next)
	if next == "" || !(unicode.IsLower(n) || unicode.IsDigit(n)) {
		return false
	}
	l, _ := utf8.DecodeRuneInString(last)
	end, _ := utf8.DecodeLastRuneInString(last)
	if !unicode.IsLetter(end) && !unicode.IsDigit(end) {
		return false
	}
	return utf8.RuneCountInString(last) <= 3 || unicode.IsUpper(l) || unicode.IsDigit(l)
}

func endsInDigit(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return unicode.IsDigit(r)
}

func startsWithDigit(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsDigit(r)
}

func endsInLetter(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return unicode.IsLetter(r)
}
