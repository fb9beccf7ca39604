package language

import (
	_ "embed" // the trigrams
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

//go:embed trigrams.txt
var trigramFile string

// Version changes when Detect answers otherwise than before.
const Version = 1

// What decides. Figures are minus four times a natural logarithm, as in the file.
const (
	rarest = 60 // of a trigram that a language has not among its frequent ones
	// slack is how much less likely than another one a language may be that the caller
	// takes for likely: related languages share most of a headline.
	slack = 16
	// fewest is how many trigrams that the language knows it takes to name it.
	fewest = 3
	// maxLetters is how many letters are looked at: more change no answer.
	maxLetters = 2000
)

// script is one that is written by one language, or nearly.
type script struct {
	code  string
	table *unicode.RangeTable
}

// scripts are looked for in their order: Japanese texts have Chinese characters too.
var scripts = []script{
	{"ja", unicode.Hiragana}, {"ja", unicode.Katakana}, {"ko", unicode.Hangul}, {"zh", unicode.Han}, {"el", unicode.Greek}, {"he", unicode.Hebrew},
	{"th", unicode.Thai}, {"hi", unicode.Devanagari}, {"ka", unicode.Georgian}, {"hy", unicode.Armenian},
}

// table is the trigrams of all languages.
type table struct {
	codes []string
	known map[trigram][]rarity
}

// trigram is three letters.
type trigram uint64

func trigramOf(a, b, c rune) trigram {
	return trigram(a)<<42 | trigram(b)<<21 | trigram(c) //nolint:gosec // runes have 21 bits
}

// rarity is how rare a trigram is in a language.
type rarity struct {
	language int
	rare     int
}

// codes are the languages of the file, in its order.
var codes = sync.OnceValue(func() (out []string) {
	for line := range strings.Lines(trigramFile) {
		if code, _, _ := strings.Cut(line, " "); len(out) == 0 || out[len(out)-1] != code {
			out = append(out, code)
		}
	}
	return out
})

// trigrams are read once, and by those alone who ask for a language.
var trigrams = sync.OnceValue(func() *table {
	t := &table{codes: codes(), known: make(map[trigram][]rarity, 1<<15)}
	at := 0
	for line := range strings.Lines(trigramFile) {
		code, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		number, letters, _ := strings.Cut(rest, " ")
		rare, err := strconv.Atoi(number)
		if err != nil {
			continue // the test of the file finds it
		}
		if code != t.codes[at] {
			at++
		}
		runes := []rune(letters)
		for i := 0; i+3 <= len(runes); i += 3 {
			key := trigramOf(runes[i], runes[i+1], runes[i+2])
			t.known[key] = append(t.known[key], rarity{at, rare})
		}
	}
	return t
})

// Detect returns the language of a text, empty if it has too few letters to say or is in
// none that is known. Of languages that are nearly as likely it takes one that the caller
// expects. Equal texts get equal answers.
func Detect(text string, expected []string) string {
	if code := byScript(text); code != "" {
		return code
	}
	t := trigrams()
	score, seen := t.score(text)
	best, hoped := -1, -1
	for i, code := range t.codes {
		if seen[i] < fewest {
			continue
		}
		if best < 0 || score[i] < score[best] {
			best = i
		}
		if slices.Contains(expected, code) && (hoped < 0 || score[i] < score[hoped]) {
			hoped = i
		}
	}
	switch {
	case best < 0:
		return ""
	case hoped >= 0 && score[hoped] <= score[best]+slack:
		return t.codes[hoped]
	}
	return t.codes[best]
}

// score is how unlikely a text is in each language, and how many of its trigrams each
// knows.
func (t *table) score(text string) (score, seen []int) {
	score, seen = make([]int, len(t.codes)), make([]int, len(t.codes))
	all, letters := 0, 0
	var a, b rune
	for _, r := range text {
		if !unicode.IsLetter(r) && !unicode.IsMark(r) {
			a, b = 0, 0
			continue
		}
		r = unicode.ToLower(r)
		if a != 0 {
			all++
			for _, k := range t.known[trigramOf(a, b, r)] {
				score[k.language] += k.rare - rarest
				seen[k.language]++
			}
		}
		a, b = b, r
		if letters++; letters == maxLetters {
			break
		}
	}
	for i := range score {
		score[i] += all * rarest
	}
	return score, seen
}

// byScript names the language of a text most of whose letters are of one script that
// tells it.
func byScript(text string) string {
	letters := 0
	counts := map[string]int{}
	for _, r := range text {
		if !unicode.IsLetter(r) {
			continue
		}
		if letters++; letters == maxLetters {
			break
		}
		if r < 0x370 { // Latin, which the most are
			continue
		}
		for _, s := range scripts {
			if unicode.Is(s.table, r) {
				counts[s.code]++
				break
			}
		}
	}
	most := math.Max(1, float64(letters)/2)
	if ja := counts["ja"]; ja > 0 && float64(ja+counts["zh"]) > most {
		return "ja"
	}
	for code, n := range counts {
		if float64(n) > most {
			return code
		}
	}
	return ""
}
