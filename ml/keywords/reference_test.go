package keywords

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/ml/taxonomy"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// reference is the meaning of rules written down without any speed: the text is
// folded as a whole, and every pattern is tried at every word.
type reference struct {
	t       *taxonomy.Taxonomy
	entries map[string][]refWord // folded once
}

type refWord struct {
	text string
	gap  string // what stands before it
}

func refFold(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	return strings.ReplaceAll(norm.NFC.String(cases.Fold().String(norm.NFD.String(s))), "i\u0307", "i")
}

func refWords(s string) (out []refWord) {
	word, gap := "", ""
	for _, r := range refFold(s) + " " {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) {
			word += string(r)
			continue
		}
		if word != "" {
			out = append(out, refWord{word, gap})
			word, gap = "", ""
		}
		gap += string(r)
	}
	return out
}

// refHit is words i to j of a field.
type refHit struct{ rule, field, i, j int }

// places lists where patterns stand: words i to j.
func (ref reference) places(words []refWord, p taxonomy.Patterns) (out [][2]int) {
	enough := func(rest string) bool { n := utf8.RuneCountInString(rest); return n == 0 || n >= 3 }
	try := func(entries []string, match func(i int, have, want string, last, first bool) bool) {
		for _, e := range entries {
			want, ok := ref.entries[e]
			if !ok {
				want = refWords(e)
				ref.entries[e] = want
			}
			for i := 0; i+len(want) <= len(words); i++ {
				ok := true
				for k := range want {
					ok = ok && match(i+k, words[i+k].text, want[k].text, k == len(want)-1, k == 0)
				}
				if ok {
					out = append(out, [2]int{i, i + len(want)})
				}
			}
		}
	}
	try(p.Words, func(_ int, have, want string, _, _ bool) bool { return have == want })
	try(p.Prefixes, func(_ int, have, want string, last, _ bool) bool {
		return have == want || last && strings.HasPrefix(have, want)
	})
	try(p.Suffixes, func(_ int, have, want string, _, first bool) bool {
		return have == want || first && strings.HasSuffix(have, want)
	})
	try(p.Compounds, func(_ int, have, want string, _, _ bool) bool {
		return strings.HasPrefix(have, want) && enough(have[len(want):]) || strings.HasSuffix(have, want) && enough(have[:len(have)-len(want)])
	})
	try(p.Parts, func(_ int, have, want string, _, _ bool) bool {
		for i := range have {
			if strings.HasPrefix(have[i:], want) && enough(have[:i]) && enough(have[i+len(want):]) {
				return true
			}
		}
		return false
	})
	return out
}

// match returns the scores and tags, and the distinct hits that count.
func (ref reference) match(fields ...string) (scores []float64, tags []int, hits []refHit) {
	t := ref.t
	scores, tags = make([]float64, len(t.Categories)), make([]int, len(t.Categories))
	low := make([]float64, len(t.Categories))
	best := make([]int, len(t.Categories))
	var parted [][]refWord
	for _, f := range fields {
		parted = append(parted, refWords(f))
	}
	for id, r := range t.Rules {
		void := false
		var own []refHit
		for f, words := range parted {
			void = void || len(ref.places(words, r.Not)) > 0
			shields := ref.places(words, r.Except)
			negations, affirmed := ref.places(words, taxonomy.Patterns{Words: t.Negation.Words}), ref.places(words, taxonomy.Patterns{Words: t.Negation.Not})
			for _, h := range ref.places(words, r.Patterns) {
				drop := slices.ContainsFunc(shields, func(s [2]int) bool { return s[0] < h[1] && h[0] < s[1] })
				for _, n := range negations {
					if !r.Negatable || h[0] < n[1] || h[0]-n[1] >= t.Negation.Within {
						continue
					}
					if slices.ContainsFunc(affirmed, func(a [2]int) bool { return a[0] <= n[0] && n[0] < a[1] }) {
						continue
					}
					clear := true
					for k := n[1]; k <= h[0]; k++ {
						clear = clear && !strings.ContainsAny(words[k].gap, ".,:;!?…–—|()[]\n") && !strings.Contains(words[k].gap, " - ")
					}
					drop = drop || clear
				}
				if hit := (refHit{id, f, h[0], h[1]}); !drop && !slices.Contains(own, hit) {
					own = append(own, hit)
				}
			}
		}
		if void || len(own) == 0 {
			continue
		}
		hits = append(hits, own...)
		c := r.Category
		if r.Weight < 0 {
			low[c] = min(low[c], r.Weight)
			continue
		}
		scores[c] = max(scores[c], r.Weight)
		if r.Tag != 0 && (tags[c] == 0 || r.Weight > t.Rules[best[c]].Weight) {
			tags[c], best[c] = r.Tag, id
		}
	}
	for c := range scores {
		if scores[c] = max(0, scores[c]+low[c]); scores[c] == 0 {
			tags[c] = 0
		}
	}
	return scores, tags, hits
}

const everything = `
negation: {words: [no, ingen, inte, utan att], not: [inte bara, no doubt], within: 2}
categories:
  - name: crime
    tags: [robbery, theft]
    rules:
      - {id: robbery, tag: robbery, words: [rån, rånad, armed robbery], weight: 0.9}
      - {id: theft, tag: theft, prefixes: [stöld, grov stöld], suffixes: [tjuv, ung tjuv], not: [hjärtetjuv]}
      - {id: gang, compounds: [gäng], except: {prefixes: [gängtapp], words: [gäng i]}}
      - {id: joke, weight: -0.5, words: [skämt, rån skämt], prefixes: [ß]}
      - {id: certain, weight: -1, words: [film], parts: [bio]}
  - name: fire
    tags: [big]
    rules:
      - {id: part, parts: [brand, eld], not: {suffixes: [branda], parts: [brandvägg]}}
      - {id: big, tag: big, words: [brand, i brand], weight: 0.3, negatable: false}
      - {id: away, weight: -0.3, words: [brandtal]}
  - name: other
    negatable: false
    rules:
      - {id: long, words: [ſun, ΣΟΦΌΣ, İstanbul, groß, "e\u0301te\u0301", "x-ray"]}
      - {id: short, prefixes: [e4, ab], suffixes: [ån], words: [gul varning, gul], compounds: [ös], parts: [ål]}
`

// TestAgainstReference draws texts from what the rules are about and from what
// breaks folding; scores, tags and places must be the reference's.
func TestAgainstReference(t *testing.T) {
	tax := parse(t, strings.ReplaceAll(everything, "ung tjuv", "ung fin tjuv"))
	m, ref := New(tax), reference{tax, map[string][]refWord{}}
	rng := rand.New(rand.NewPCG(1, 2))
	parts := []string{
		"rån", "RÅN", "ra\u030an", "från", "rånad", "armed", "robbery", "stöld", "grov", "tjuv", "ung", "fin", "hjärtetjuv", "gäng", "gängtapp", "skämt", "film", "bio", "brand", "BRAND", "branda", "vägg", "eld",
		"sun", "ſun", "σοφός", "ΣΟΦΌΣ", "İstanbul", "ISTANBUL", "i\u0307stanbul", "groß", "GROSS", "gro\u00adß", "ẞ", "été", "e\u0301te\u0301", "x", "ray", "e4", "E45", "ab", "gul", "varning", "ös", "ål", "ån",
		"no", "ingen", "inte", "utan", "att", "bara", "doubt", "i", "tal",
		" ", " ", " ", " ", " ", " ", "-", " - ", "!", ", ", ": ", "–", "”", "…", "\u00a0", "\xff", "\xc3", "\xe2\x80", "\u200d", "\u00ad", "\u0307", "\u0301", "é", "Č", "ŉ", "ǰ", "3", "東京", "\u1100\u1161", "ᾳ", "\U0001F525", "\x00", "'", "\n",
	}
	n := 100_000
	if testing.Short() {
		n = 10_000
	}
	var res Result
	fired, slowly, several := 0, 0, 0
	for range n {
		var fields [2]string
		for f := range fields {
			var b strings.Builder
			for range rng.IntN(4 + 9*(1-f)) {
				b.WriteString(parts[rng.IntN(len(parts))])
				if rng.IntN(3) == 0 {
					b.WriteByte(' ')
				}
			}
			fields[f] = b.String()
		}
		compare(t, m, ref, &res, fields[0], fields[1])
		if len(res.Fired) > 0 {
			fired++
		}
		if len(res.Fired) > 2 {
			several++
		}
		if res.text.mapped {
			slowly++
		}
	}
	if fired < n/4 || several < n/50 || slowly < n/20 {
		t.Errorf("the texts say little: rules fired on %d of %d, several on %d, %d were folded slowly", fired, n, several, slowly)
	}
}

func compare(t *testing.T, m *Matcher, ref reference, res *Result, title, description string) {
	t.Helper()
	scores, tags, hits := ref.match(title, description)
	m.Match(res, title, description)
	if !slices.Equal(res.Scores, scores) || !slices.Equal(res.Tags, tags) {
		t.Fatalf("%q, %q:\nscores %v tags %v, the reference says %v %v", title, description, res.Scores, res.Tags, scores, tags)
	}
	var got, want []string
	for _, h := range res.Fired {
		text := []string{title, description}[h.Field]
		if h.Start < 0 || h.End > len(text) || h.Start >= h.End {
			t.Fatalf("%q: hit %+v", text, h)
		}
		var words []string
		for _, w := range refWords(text[h.Start:h.End]) {
			words = append(words, w.text)
		}
		got = append(got, fmt.Sprint(h.Rule, h.Field, words))
	}
	parted := [][]refWord{refWords(title), refWords(description)}
	for _, h := range hits {
		var words []string
		for _, w := range parted[h.field][h.i:h.j] {
			words = append(words, w.text)
		}
		want = append(want, fmt.Sprint(h.rule, h.field, words))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%q, %q:\nfired %q, the reference says %q", title, description, got, want)
	}
}

func FuzzAgainstReference(f *testing.F) {
	tax := parse(f, everything)
	m, ref := New(tax), reference{tax, map[string][]refWord{}}
	f.Add("Rån och gängor", "inte bara brand")
	f.Fuzz(func(t *testing.T, title, description string) {
		if len(title)+len(description) > 2000 {
			return
		}
		var res Result
		compare(t, m, ref, &res, title, description)
	})
}
