package draft

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/sprint-ml/sprint/jobs/report/advice"
)

// Of words that are suggested.
const (
	ruleWords   = 8
	topWords    = 20
	mostScanned = 200_000 // texts that are looked at, over all categories
	fewScanned  = 2_000
	longestWord = 24
)

// telling are the words that tell a category's rows from the others, of rows that may train.
func (p *problem) telling(category int) []string {
	most := max(fewScanned, mostScanned/len(p.labels.names))
	var in, rest []string
	for i := range p.rows {
		if len(in)+len(rest) == most {
			break
		}
		if !p.trains(i) {
			continue
		}
		if slices.Contains(p.rows[i].categories, category) {
			in = append(in, p.rows[i].words())
		} else {
			rest = append(rest, p.rows[i].words())
		}
	}
	return usable(advice.Telling(in, rest, 3*ruleWords), ruleWords)
}

// usable are the words that a rule may ask for.
func usable(words []string, most int) []string {
	var out []string
	for _, w := range words {
		letters := strings.IndexFunc(w, func(r rune) bool { return !unicode.IsLetter(r) }) < 0
		if letters && len(w) <= longestWord && !stopWords[w] && len(out) < most {
			out = append(out, w)
		}
	}
	return out
}

// frequent are the words of most texts, with the texts that hold each; words of half of the
// texts, or of one in a hundred, tell nothing.
func (p *problem) frequent() (words []string, texts map[string][]int) {
	texts = map[string][]int{}
	n := min(len(p.rows), mostScanned/10)
	for i := range n {
		for word := range strings.FieldsFuncSeq(strings.ToLower(p.rows[i].words()), func(r rune) bool { return !unicode.IsLetter(r) }) {
			if at := texts[word]; len([]rune(word)) > 3 && len(word) <= longestWord && !stopWords[word] && (len(at) == 0 || at[len(at)-1] != i) {
				texts[word] = append(at, i)
			}
		}
	}
	for w, at := range texts {
		if len(at)*2 > n || len(at)*100 < n || len(at) < 3 {
			delete(texts, w)
		}
	}
	words = slices.SortedFunc(maps.Keys(texts), func(a, b string) int {
		return cmp.Or(len(texts[b])-len(texts[a]), cmp.Compare(a, b))
	})
	return words[:min(len(words), topWords)], texts
}

// example is a category for words that stand in many texts.
type example struct {
	name  string
	words []string
}

// examples are up to two categories made of frequent words that do not stand together.
func (p *problem) examples(words []string, texts map[string][]int) []example {
	var out []example
	used, taken, covered := map[string]bool{}, map[string]bool{}, map[int]bool{}
	for _, w := range words {
		both := 0
		for _, i := range texts[w] {
			if covered[i] {
				both++
			}
		}
		if used[w] || both*4 > len(texts[w]) {
			continue
		}
		holds := map[int]bool{}
		for _, i := range texts[w] {
			holds[i], covered[i] = true, true
		}
		var in, rest []string
		for i := range min(len(p.rows), fewScanned) {
			if holds[i] {
				in = append(in, p.rows[i].words())
			} else {
				rest = append(rest, p.rows[i].words())
			}
		}
		e := example{name: newName(w, "topic", taken), words: []string{w}}
		used[w] = true
		for _, near := range usable(advice.Telling(in, rest, 8), 4) {
			if !used[near] {
				used[near] = true
				e.words = append(e.words, near)
			}
		}
		if out = append(out, e); len(out) == 2 {
			break
		}
	}
	if len(out) == 0 {
		out = []example{{"example", []string{"example"}}}
	}
	return out
}

// stopWords are English words that stand in texts about anything.
var stopWords = func() map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(`the and that this these those with from for was were are been being have has had having will would
		could should shall may might must can cannot about after again against all also although always among another any anyone
		anything around because before behind below between both but came come does doing done down during each either else even
		ever every few first get gets getting give given goes going gone got her here hers herself him himself his how however
		into its itself just last least less like made make makes many more most much myself near never new next nobody none nor
		not nothing now off often once one only onto other others our ours out over own people per perhaps put quite rather really
		said same saw say says see seem seems seen several she since some somebody something still such take taken than their
		theirs them themselves then there therefore they thing things think though through thus together too took toward under
		until upon use used very want wants well went what when where whether which while who whole whom whose why within without
		year years yes yet you your yours yourself dear hello thanks thank please regards two three four five day days time times way back`) {
		out[w] = true
	}
	return out
}()
