package advice

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"
)

// minRows is in how many texts a word must stand to tell anything.
const minRows = 2

// Telling returns the words by which the texts in differ most from the rest: by the log of
// the odds that a text holds the word, smoothed by half a text, over its standard error
// (Monroe, Colaresi and Quinn, "Fightin' Words", 2008, with a flat prior). At most n, the
// most telling first; words of one or two letters are left out.
func Telling(in, rest []string, n int) []string {
	inside, outside := documentCounts(in), documentCounts(rest)
	type scored struct {
		word  string
		score float64
	}
	var all []scored
	for word, a := range inside {
		if a < minRows {
			continue
		}
		if z := zScore(a, len(in), outside[word], len(rest)); z > 1 {
			all = append(all, scored{word, z})
		}
	}
	slices.SortFunc(all, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.word, b.word))
	})
	var out []string
	for _, x := range all[:min(n, len(all))] {
		out = append(out, x.word)
	}
	return out
}

// zScore is the log odds ratio of a word that stands in a of n texts and in b of m others,
// over its standard error.
func zScore(a, n, b, m int) float64 {
	const half = 0.5
	x, notX, y, notY := float64(a)+half, float64(n-a)+half, float64(b)+half, float64(m-b)+half
	return (math.Log(x/notX) - math.Log(y/notY)) / math.Sqrt(1/x+1/y)
}

// documentCounts is in how many texts each word stands.
func documentCounts(texts []string) map[string]int {
	out := map[string]int{}
	for _, text := range texts {
		once := map[string]bool{}
		for word := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			if len([]rune(word)) > 2 && len(word) < 64 {
				once[word] = true
			}
		}
		for word := range maps.Keys(once) {
			out[word]++
		}
	}
	return out
}
