package keywords

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/sprint-ml/sprint/ml/taxonomy"
)

func parse(t testing.TB, text string) *taxonomy.Taxonomy {
	t.Helper()
	tax, problems := taxonomy.Parse([]byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return tax
}

const rules = `
categories:
  - name: crime
    tags: [robbery, theft]
    rules:
      - {id: robbery, tag: robbery, words: [rån, rånad], weight: 0.9}
      - {id: theft, tag: theft, prefixes: [stöld], suffixes: [tjuv], not: [hjärtetjuv]}
      - {id: gang, compounds: [gäng]}
  - name: weather
    tags: [rain]
    rules:
      - {id: rain, tag: rain, words: [rain, heavy rain]}
      - {id: warning, words: [gul varning], prefixes: [höga flöd]}
      - {id: long, words: [ſun, ΣΟΦΌΣ]}
`

func TestMatch(t *testing.T) {
	m := New(parse(t, rules))
	for _, c := range []struct{ text, want string }{
		{"Man rånad i Malmö", "crime:robbery"},
		{"Från Ukraina till Stockholm", ""}, // rån in från, rain in Ukraina
		{"RÅN!", "crime:robbery"},
		{"Stölderna ökar", "crime:theft"},
		{"En cykeltjuv greps", "crime:theft"},
		{"Hjärtetjuv och cykeltjuv", ""}, // the exception holds for the whole text
		{"Gängkriminella", "crime:gang"},
		{"ungdomsgäng", "crime:gang"},
		{"gäng", "crime:gang"},
		{"gängor", ""}, // two letters left: no compound
		{"Gul varning för regn", "weather:warning"},
		{"gul  -  varning", "weather:warning"}, // signs part words, any number of them
		{"gul katt, varning", ""},
		{"höga flöden väntas", "weather:warning"},
		{"SUN is up", "weather:long"},
		{"σοφός", "weather:long"}, // final sigma folds
		{"", ""},
		{"\xff\xfe rån", "crime:robbery"},
	} {
		var res Result
		m.Match(&res, c.text, "")
		var got []string
		for _, h := range res.Fired {
			r := m.Taxonomy().Rules[h.Rule]
			got = append(got, m.Taxonomy().Categories[r.Category].Name+":"+r.ID)
			if h.Start < 0 || h.End > len(c.text) || h.Start >= h.End {
				t.Errorf("%q: span %d-%d", c.text, h.Start, h.End)
			}
		}
		slices.Sort(got)
		if g := strings.Join(slices.Compact(got), " "); g != c.want {
			t.Errorf("%q fired %q, want %q", c.text, g, c.want)
		}
	}
}

func TestScoresAndTags(t *testing.T) {
	m := New(parse(t, rules))
	var res Result
	m.Match(&res, "Rån och stöld", "")
	if res.Scores[0] != 1 || res.Tags[0] != 2 {
		t.Errorf("score %v, tag %d: the strongest rule decides", res.Scores[0], res.Tags[0])
	}
	m.Match(&res, "Rån", "")
	if res.Scores[0] != 0.9 || res.Tags[0] != 1 || res.Scores[1] != 0 {
		t.Errorf("scores %v, tags %v", res.Scores, res.Tags)
	}
	m.Match(&res, "lugnt", "regn och rån")
	if res.Scores[0] != 0.9 || res.Fired[0].Field != 1 {
		t.Errorf("description: %+v", res)
	}
}

// headlines are real ones if the data folder is there, else made up.
func headlines(b *testing.B) []string {
	f, err := os.Open("../../../shared/data/gdelt-sv/articles.jsonl")
	if err != nil {
		out := make([]string, 2000)
		for i := range out {
			out[i] = fmt.Sprintf("Regeringen vill skärpa straffen för rån nummer %d i Göteborg", i)
		}
		return out
	}
	defer f.Close()
	var out []string
	s := bufio.NewScanner(f)
	for s.Scan() {
		var r struct{ Title string }
		if json.Unmarshal(s.Bytes(), &r) == nil {
			out = append(out, r.Title)
		}
	}
	return out
}

// BenchmarkHeadlines labels headlines by 300 one-word rules, one thread, with
// folding, boundaries and provenance; contains is the loop over lower-cased text
// that it replaces.
func BenchmarkHeadlines(b *testing.B) {
	texts := headlines(b)
	chosen := oneWordRules(texts)
	var y strings.Builder
	y.WriteString("categories:\n  - name: c\n    rules:\n")
	for i, w := range chosen {
		fmt.Fprintf(&y, "      - {id: r%d, words: [%q]}\n", i, w)
	}
	m := New(parse(b, y.String()))
	b.Run("sprint", func(b *testing.B) {
		var res Result
		b.ReportAllocs()
		for b.Loop() {
			for _, t := range texts {
				m.Match(&res, t, "")
			}
		}
		perText(b, len(texts))
	})
	b.Run("contains", func(b *testing.B) {
		n := 0
		for b.Loop() {
			for _, t := range texts {
				text := strings.ToLower(t)
				for _, w := range chosen {
					if strings.Contains(text, w) {
						n++
					}
				}
			}
		}
		perText(b, len(texts))
	})
}

// BenchmarkTaxonomy labels the same headlines by the rules of the Swedish example.
func BenchmarkTaxonomy(b *testing.B) {
	data, err := os.ReadFile("../../examples/swedish-news/taxonomy.yaml")
	if err != nil {
		b.Fatal(err)
	}
	texts := headlines(b)
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			New(parse(b, string(data)))
		}
	})
	m := New(parse(b, string(data)))
	b.Run("match", func(b *testing.B) {
		var res Result
		for b.Loop() {
			for _, t := range texts {
				m.Match(&res, t, "")
			}
		}
		perText(b, len(texts))
	})
}

func perText(b *testing.B, texts int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*texts), "ns/text")
}

// oneWordRules are 300 words of the texts, of five letters and more.
func oneWordRules(texts []string) []string {
	var words []string
	seen := map[string]bool{}
	for _, t := range texts {
		for _, w := range strings.Fields(strings.ToLower(t)) {
			if len(w) > 4 && strings.IndexFunc(w, func(r rune) bool { return !unicode.IsLetter(r) }) < 0 && !seen[w] {
				seen[w] = true
				words = append(words, w)
			}
		}
	}
	for len(words) < 3000 {
		words = append(words, fmt.Sprintf("ord%d", len(words)))
	}
	var chosen []string
	for i := range 300 {
		chosen = append(chosen, words[i*10])
	}
	return chosen
}
