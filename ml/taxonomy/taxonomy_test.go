package taxonomy

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/ml/fuzztest"
)

const good = `
categories:
  - name: crime
    doc: Crimes.
    tags: [theft]
    rules:
      - {id: a, tag: theft, words: [thief, "armed  robbery"], weight: 0.5, not: [heart thief]}
      - {prefixes: [steal]}
  - name: other
`

func TestParse(t *testing.T) {
	tax, problems := Parse([]byte(good))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := []Category{{"crime", "Crimes.", []string{"", "theft"}}, {"other", "", []string{""}}}
	if !reflect.DeepEqual(tax.Categories, want) {
		t.Errorf("categories %+v", tax.Categories)
	}
	if r := tax.Rules[0]; r.ID != "a" || r.Tag != 1 || r.Weight != 0.5 || r.Words[1] != "armed robbery" || r.Not.Words[0] != "heart thief" {
		t.Errorf("rule %+v", r)
	}
	if r := tax.Rules[1]; r.ID != "rule-2" || r.Weight != 1 {
		t.Errorf("rule %+v", r)
	}
	if tax.Index("other") != 1 || tax.Index("x") != -1 {
		t.Error("Index")
	}
}

// TestKeys: documentation changes no key, a word of a rule changes its rule's
// entry alone.
func TestKeys(t *testing.T) {
	a, _ := Parse([]byte(good))
	b, _ := Parse([]byte(strings.Replace(good, "Crimes.", "All crimes.", 1)))
	if !reflect.DeepEqual(a.RulesKey(), b.RulesKey()) || !reflect.DeepEqual(a.CategoriesKey(), b.CategoriesKey()) {
		t.Error("documentation is keyed")
	}
	c, _ := Parse([]byte(strings.Replace(good, "steal", "steel", 1)))
	if !reflect.DeepEqual(a.CategoriesKey(), c.CategoriesKey()) {
		t.Error("rules change the categories' key")
	}
	for id, v := range c.RulesKey() {
		if same := reflect.DeepEqual(v, a.RulesKey()[id]); same != (id != "crime/rule-2") {
			t.Errorf("rule %s: same %v", id, same)
		}
	}
}

func TestProblems(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string // line:col: part of the message
	}{
		"empty":         {"", []string{"the file is empty"}},
		"no categories": {"x: 1", []string{`1:1: unknown key "x"`}},
		"not yaml":      {"categories: [", []string{"not valid YAML"}},
		"unknown tag":   {"categories: [{name: a, tags: [b], rules: [{words: [xx], tag: c}]}]", []string{`has no tag "c"`}},
		"all at once": {"categories:\n  - name: A\n    rules:\n      - {words: [x], wight: 1}\n      - {id: r, weight: 2, words: [aa, aa]}\n  - name: b\n  - name: b\n",
			[]string{"2:11: ", "4:18: ", `4:22: unknown key "wight"`, "5:25: the weight", "5:40: ", "7:11: a second category"}},
		"never fires":         {"categories: [{name: a, rules: [{id: r}]}]", []string{"can never fire"}},
		"contradict":          {"categories: [{name: a, rules: [{words: [xx], not: [xx]}]}]", []string{"can never fire"}},
		"anchor":              {"categories: &a [{name: a}]", []string{"anchors"}},
		"double id":           {"categories: [{name: a, rules: [{id: r, words: [xx]}, {id: r, words: [yy]}]}]", []string{"a second rule r"}},
		"contradict by form":  {"categories: [{name: a, rules: [{prefixes: [rainbow, snow], not: {prefixes: [rain]}}]}]", []string{`1:44: "rainbow" can never fire`}},
		"contradict a phrase": {"categories: [{name: a, rules: [{phrases: [\"a big fire\"], except: [Big]}]}]", []string{`holds the exception "Big" of words`}},
		"for and against":     {"categories: [{name: a, rules: [{id: x, words: [xx]}, {id: y, words: [XX], weight: -0.5}]}]", []string{`"XX" speaks for the category in one rule and against it in another`}},
		"weight":              {"categories: [{name: a, rules: [{words: [xx], weight: 0}, {id: y, words: [xx], weight: -1.5}]}]", []string{"1:54: the weight", "1:87: the weight"}},
		"no words":            {"categories: [{name: a, rules: [{words: [\"\", \"-\", \"å\", x y]}]}]", []string{`"" in words`, `"-" in words`, `"å" in words`}},
		"no words at all":     {"categories: [{name: a, rules: [{prefixes: [b], parts: [\"k\"]}]}]", []string{`"b" in prefixes`, `"k" in parts`}},
		"same when folded":    {"categories: [{name: a, rules: [{words: [Straße, STRASSE]}]}]", []string{"stands twice"}},
		"compound phrase":     {"categories: [{name: a, rules: [{compounds: [mc-olycka], parts: [a b]}]}]", []string{`"mc-olycka" in compounds is more than one word`, `"a b" in parts`}},
		"negation":            {"negation: {within: 11}\ncategories: [{name: a}]", []string{"negation needs words", "within must be"}},
		"truth":               {"strict: maybe\ncategories: [{name: a, negatable: 1}]", []string{"strict must be true or false", "negatable must be"}},
		"strict":              {"categories: [{name: a}]\nstrict: true", []string{"1:14: no rule speaks for the category a"}},
		"shared":              {"categories: [{name: a, rules: [" + strings.Repeat("{words: [xx]},", 65) + "]}]", []string{"more than 64 rules"}},
		"two docs":            {"categories: [{name: a}]\n---\nx: 1", []string{"second document"}},
	} {
		t.Run(name, func(t *testing.T) {
			tax, problems := Parse([]byte(c.text))
			if tax != nil || len(problems) < len(c.want) {
				t.Fatalf("taxonomy %v, problems %v", tax != nil, problems)
			}
			all := fmt.Sprint(problems)
			if strings.Contains(name, "no words") && len(problems) != len(c.want) {
				t.Errorf("more is said than is wrong:\n%s", all)
			}
			for _, w := range c.want {
				if !strings.Contains(all, w) {
					t.Errorf("no problem says %q:\n%s", w, all)
				}
			}
		})
	}
}

// TestBombs: hostile files are refused soon.
func TestBombs(t *testing.T) {
	for name, text := range map[string]string{
		"brackets": strings.Repeat("[", 100_000),
		"aliases":  "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\ncategories: [*b,*b,*b,*b,*b,*b,*b]",
		"large":    strings.Repeat("#", 2<<20),
	} {
		best := time.Hour
		for n := 0; n < 5 && best > 2*time.Second; n++ { // the best of some, so that a busy machine is no failure
			began := time.Now()
			if tax, problems := Parse([]byte(text)); tax != nil || len(problems) == 0 {
				t.Errorf("%s was taken", name)
			}
			best = min(best, time.Since(began))
		}
		if best > 2*time.Second {
			t.Errorf("%s took %s", name, best)
		}
	}
}

// TestWarnings: what can be lived with has its place, and the taxonomy is there.
func TestWarnings(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"silent category": {"categories:\n  - name: a\n    rules: [{words: [xx], weight: -1}]\n", "2:5: no rule speaks for the category a"},
		"covered":         {"categories: [{name: a, rules: [{words: [branden], prefixes: [brand]}]}]", `1:41: "branden" says nothing new`},
		"covered phrase":  {"categories: [{name: a, rules: [{words: [fire], phrases: [a fire here]}]}]", `"a fire here" says nothing new`},
		"covered suffix":  {"categories: [{name: a, rules: [{suffixes: [storbrand, brand]}]}]", `"storbrand" says nothing new`},
		"twice":           {"categories: [{name: a, rules: [{id: x, words: [xx]}, {id: y, words: [Xx]}]}]", `1:70: "Xx" stands in rule x too`},
		"two tags":        {"categories: [{name: a, tags: [p, q], rules: [{id: x, tag: p, words: [xx]}, {id: y, tag: q, words: [xx]}]}]", `"xx" has another tag in rule x`},
		"expression":      {"categories: [{name: a, rules: [{words: ['(ab+)+$']}]}]", `"(ab+)+$" in words is no pattern with wildcards: it fires on the words "ab"`},
		"wildcard":        {"categories: [{name: a, rules: [{words: ['brand*']}]}]", `"brand*" in words is no pattern with wildcards`},
		"no expression":   {"categories: [{name: a, rules: [{words: ['Disney+', 'AT&T', 'US$', 'what?', '3.5 %', '(sic)']}]}]", ""},
		"none":            {"categories: [{name: a, rules: [{prefixes: [storbrand], suffixes: [brand], compounds: [eld], words: [eldar, a b]}, {id: b, words: [b c]}]}]", ""},
	} {
		t.Run(name, func(t *testing.T) {
			tax, problems := Parse([]byte(c.text))
			if tax == nil {
				t.Fatal(problems)
			}
			if got := fmt.Sprint(tax.Warnings); (c.want == "") != (len(tax.Warnings) == 0) || !strings.Contains(got, c.want) || len(tax.Warnings) > 1 {
				t.Errorf("warnings %s, want %q", got, c.want)
			}
		})
	}
}

func TestFold(t *testing.T) {
	for text, want := range map[string]string{
		"RÅN i STRAẞE": "rån i strasse", "ra\u030an": "rån", "İstanbul": "istanbul", "ΣΟΦΌΣ": "σοφόσ", "ſun": "sun", "so\u00adft": "soft", "a\xffb": "a b", "ŉ": "ʼn", "ǰ": "ǰ",
	} {
		if got := Fold(text); got != want {
			t.Errorf("Fold(%q) = %q, want %q", text, got, want)
		}
	}
	// What is not foldsSpecially folds as the definition says.
	for r := rune(0); r < 0x180; r++ {
		if text := string(r); !foldsSpecially(r) && Fold(text) != string(AppendFolded(nil, []byte(text))) {
			t.Errorf("Fold(%q) = %q, the definition says %q", text, Fold(text), AppendFolded(nil, []byte(text)))
		}
	}
}

// TestHostile: comparing all entries of a rule with each other would take hours.
func TestHostile(t *testing.T) {
	var words, not strings.Builder
	for i := range 40_000 {
		fmt.Fprintf(&words, "w%d,", i)
		fmt.Fprintf(&not, "n%d,", i)
	}
	if tax, problems := Parse([]byte("categories: [{name: a, rules: [{words: [" + words.String() + "], not: [" + not.String() + "]}]}]")); tax == nil {
		t.Fatal(problems)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Fuzz(func(t *testing.T, text string) {
		var tax *Taxonomy
		var problems []Problem
		fuzztest.Bounded(t, func() { tax, problems = Parse([]byte(text)) })
		if (tax == nil) != (len(problems) > 0) {
			t.Fatalf("taxonomy %v with problems %v", tax, problems)
		}
	})
}
