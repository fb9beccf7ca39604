package taxonomy

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// Caps of a taxonomy file. They bound the size of the automaton made of it, and
// what one word of a text can cost.
const (
	maxBytes  = 1 << 20
	maxWords  = 100_000
	maxShared = 64 // rules with one and the same entry
	maxWithin = 10
)

const categoryPattern = `^[a-z][a-z0-9_]{0,62}$`

var (
	categoryName = regexp.MustCompile(categoryPattern)
	tagName      = regexp.MustCompile(`^[a-z0-9][a-z0-9_ -]{0,62}$`)
	ruleName     = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,62}$`)
	// expression are texts that a regular expression or a file pattern would hold.
	// Compiling it, with classes of all letters, takes longer than all else that a
	// program without a taxonomy does at its start.
	expression = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\\\pL|[.\pL][*]|\.[+]|\)[*+?]|\[[^\]]*-[^\]]*\]|\(\?|\pL\|\pL|^\^`)
	})
	yamlLine = regexp.MustCompile(`line (\d+)(?:, column (\d+))?:? ?`)
)

// Parse reads a taxonomy file. All mistakes are reported at once; the taxonomy
// is nil if there is any.
func Parse(data []byte) (*Taxonomy, []Problem) {
	p := &parser{ids: map[string]int{}, told: map[string]bool{}, shared: map[entry]int{}, ruleKeys: keys(ruleFields)}
	root := p.document(data)
	if root != nil {
		p.taxonomy(root)
	}
	if p.strict {
		p.problems = append(p.problems, p.out.Warnings...)
	}
	order := func(a, b Problem) int { return cmp.Or(a.Line-b.Line, a.Col-b.Col) }
	slices.SortStableFunc(p.problems, order)
	slices.SortStableFunc(p.out.Warnings, order)
	if len(p.problems) > 0 {
		return nil, p.problems
	}
	return &p.out, nil
}

type parser struct {
	out      Taxonomy
	problems []Problem
	strict   bool
	ruleKeys []string
	ids      map[string]int  // "category/rule" -> line
	told     map[string]bool // languages of which a warning told
	words    int
	shared   map[entry]int      // rules that have it
	entries  map[entry]firstUse // of the category at hand, and of one language
	places   map[entry]*yaml.Node
}

func (p *parser) warn(n *yaml.Node, hint, format string, args ...any) {
	p.out.Warnings = append(p.out.Warnings, Problem{n.Line, n.Column, fmt.Sprintf(format, args...), hint})
}

func (p *parser) fail(n *yaml.Node, hint, format string, args ...any) {
	p.problems = append(p.problems, Problem{n.Line, n.Column, fmt.Sprintf(format, args...), hint})
}

func (p *parser) document(data []byte) *yaml.Node {
	if len(data) > maxBytes {
		p.problems = append(p.problems, Problem{1, 1, "the taxonomy is larger than 1 MiB", ""})
		return nil
	}
	var doc, second yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&doc); err != nil {
		line, col, text := 1, 1, strings.TrimPrefix(err.Error(), "yaml: ")
		if errors.Is(err, io.EOF) {
			text = "the file is empty"
		}
		if m := yamlLine.FindStringSubmatch(text); m != nil {
			line, _ = strconv.Atoi(m[1])
			col, _ = strconv.Atoi(m[2])
			text = strings.Replace(text, m[0], "", 1)
		}
		p.problems = append(p.problems, Problem{line, max(col, 1), "not valid YAML: " + strings.TrimSpace(text), ""})
		return nil
	}
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		p.problems = append(p.problems, Problem{max(second.Line, 1), 1, "a second document: a file holds one", ""})
		return nil
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		p.problems = append(p.problems, Problem{1, 1, "the file is empty", "it begins with `categories:`"})
		return nil
	}
	return doc.Content[0]
}

// fields reads a map with known keys.
func (p *parser) fields(n *yaml.Node, what string, known ...string) map[string]*yaml.Node {
	out := map[string]*yaml.Node{}
	if n.Kind != yaml.MappingNode || n.Anchor != "" {
		p.fail(n, "its keys: "+strings.Join(known, ", "), "%s must be a plain map", what)
		return out
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode || !slices.Contains(known, k.Value):
			p.fail(k, suggest(k.Value, known), "unknown key %q in %s", k.Value, what)
		case out[k.Value] != nil:
			p.fail(k, "remove one of them", "the key %q stands twice", k.Value)
		case v.Kind == yaml.AliasNode || v.Anchor != "":
			p.fail(v, "write the value out", "anchors and aliases are not allowed")
		default:
			out[k.Value] = v
		}
	}
	return out
}

// suggest names the nearest known key.
func suggest(word string, known []string) string {
	for _, k := range known {
		if len(word) > 2 && (strings.HasPrefix(k, word[:2]) || strings.HasSuffix(k, word[len(word)-2:])) {
			return fmt.Sprintf("did you mean %q?", k)
		}
	}
	return "known: " + strings.Join(known, ", ")
}

func (p *parser) text(n *yaml.Node, what string) string {
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode || n.Tag != "" && !strings.HasPrefix(n.Tag, "!!") {
		p.fail(n, "", "%s must be text", what)
		return ""
	}
	return n.Value
}

func (p *parser) list(n *yaml.Node, what string) []*yaml.Node {
	switch {
	case n == nil:
		return nil
	case n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null":
		return []*yaml.Node{n}
	case n.Kind != yaml.SequenceNode:
		p.fail(n, "", "%s must be a list", what)
		return nil
	}
	return n.Content
}

func (p *parser) taxonomy(root *yaml.Node) {
	f := p.fields(root, "a taxonomy", keys(fileFields)...)
	p.out.Single = p.single(f["labels"])
	p.strict = p.truth(f["strict"], "strict", false)
	if n := f["negation"]; n != nil {
		p.negation(n)
	}
	if f["categories"] == nil {
		p.fail(root, "for example `categories: [{name: sports, tags: [football]}]`", "a taxonomy needs categories")
		return
	}
	for _, n := range p.list(f["categories"], "categories") {
		p.category(n)
	}
	if len(p.out.Categories) == 0 && len(p.problems) == 0 {
		p.fail(f["categories"], "", "a taxonomy needs at least one category")
	}
}

// single reads how many categories a text has.
func (p *parser) single(n *yaml.Node) bool {
	switch {
	case n == nil:
		return false
	case n.Kind == yaml.ScalarNode && (n.Value == "single" || n.Value == "multi"):
		return n.Value == "single"
	}
	p.fail(n, "`single`: a text has one category or none; `multi`, the default: any number", "labels must be multi or single")
	return false
}

func (p *parser) negation(n *yaml.Node) {
	f := p.fields(n, "negation", keys(negationFields)...)
	g := &p.out.Negation
	g.Words, g.Not, g.Within = p.patterns(f["words"], "words"), p.patterns(f["not"], "not"), 3
	if f["words"] == nil {
		p.fail(n, "for example `words: [no, not, without]`", "negation needs words")
	}
	if w := f["within"]; w != nil {
		x, err := strconv.Atoi(p.text(w, "within"))
		if err != nil || x < 1 || x > maxWithin {
			p.fail(w, "", "within must be a number of words from 1 to %d, this is %q", maxWithin, w.Value)
		} else {
			g.Within = x
		}
	}
}

func (p *parser) truth(n *yaml.Node, what string, otherwise bool) bool {
	switch {
	case n == nil:
		return otherwise
	case n.Kind == yaml.ScalarNode && n.Value == "true":
		return true
	case n.Kind == yaml.ScalarNode && n.Value == "false":
		return false
	}
	p.fail(n, "", "%s must be true or false", what)
	return otherwise
}

func (p *parser) category(n *yaml.Node) {
	f := p.fields(n, "a category", keys(categoryFields)...)
	c := Category{Name: p.text(f["name"], "name"), Doc: p.text(f["doc"], "doc"), Tags: []string{""}}
	switch {
	case f["name"] == nil:
		p.fail(n, "", "a category needs a name")
	case !categoryName.MatchString(c.Name):
		p.fail(f["name"], "use a-z, 0-9 and _, beginning with a letter", "%q is no category name", c.Name)
	case p.out.Index(c.Name) >= 0:
		p.fail(f["name"], "merge the two", "a second category named %s", c.Name)
	case strings.HasSuffix(c.Name, "_tag") || strings.HasSuffix(c.Name, "_score"):
		p.fail(f["name"], "", "%q would collide with the columns of another category", c.Name)
	case p.out.Single && strings.HasSuffix(c.Name, "_probability"):
		p.fail(f["name"], "", "%q would collide with the probability of another category", c.Name)
	}
	for _, t := range p.list(f["tags"], "tags") {
		tag := p.text(t, "a tag")
		switch {
		case !tagName.MatchString(tag):
			p.fail(t, "use a-z, 0-9, space, - and _", "%q is no tag", tag)
		case c.TagIndex(tag) >= 0:
			p.fail(t, "", "the tag %q stands twice", tag)
		default:
			c.Tags = append(c.Tags, tag)
		}
	}
	index := len(p.out.Categories)
	p.out.Categories = append(p.out.Categories, c)
	p.entries = map[entry]firstUse{}
	negatable, speaks := p.truth(f["negatable"], "negatable", true), false
	for _, set := range p.ruleSets(f["rules"]) {
		for i, r := range p.list(set.rules, "rules") {
			speaks = p.rule(r, index, i, set, negatable) > 0 || speaks
		}
	}
	if !speaks {
		p.warn(n, "add a rule, or let an encoder label its rows by what doc says: label: {source: [rules, encoder]}", silent+"%s", c.Name)
	}
}

// rule reads a rule and returns its weight, 0 if it can never fire.
func (p *parser) rule(n *yaml.Node, category, number int, set ruleSet, negatable bool) float64 {
	c := p.out.Categories[category]
	f := p.fields(n, "a rule", p.ruleKeys...)
	r := Rule{ID: p.text(f["id"], "id"), Category: category, Weight: 1, Language: set.language, Line: n.Line}
	p.places = map[entry]*yaml.Node{}
	before := len(p.problems)
	if f["id"] == nil {
		r.ID = fmt.Sprintf("rule-%d", number+1)
	} else if !ruleName.MatchString(r.ID) {
		p.fail(f["id"], "use a-z, 0-9, dot, dash and underscore", "%q is no rule id", r.ID)
	}
	r.ID = set.prefix + r.ID
	if line, double := p.ids[c.Name+"/"+r.ID]; double {
		p.fail(n, "give each rule of a category its own id", "a second rule %s in %s, the first is in line %d", r.ID, c.Name, line)
	}
	p.ids[c.Name+"/"+r.ID] = n.Line
	if t := f["tag"]; t != nil {
		tag := p.text(t, "tag")
		if r.Tag = c.TagIndex(tag); r.Tag < 0 {
			p.fail(t, "its tags: "+strings.Join(c.Tags[1:], ", "), "category %s has no tag %q", c.Name, tag)
			r.Tag = 0
		}
	}
	if w := f["weight"]; w != nil {
		x, err := strconv.ParseFloat(p.text(w, "weight"), 64)
		if err != nil || !(x > 0 && x <= 1 || x < 0 && x >= -1) {
			p.fail(w, "", "the weight must be above 0 and at most 1, or below 0 and at least -1 to speak against the category; this is %q", w.Value)
		} else {
			r.Weight = x
		}
	}
	r.Negatable = p.truth(f["negatable"], "negatable", negatable)
	r.Patterns = p.forms(f)
	r.Words = append(r.Words, p.patterns(f["phrases"], "phrases")...)
	r.Not, r.Except = p.exceptions(f["not"], "not"), p.exceptions(f["except"], "except")
	if r.Len() == 0 {
		if n.Kind == yaml.MappingNode && len(p.problems) == before { // else the reason is said already
			p.fail(n, "add words, phrases, prefixes, suffixes, compounds or parts", "the rule %s of %s can never fire", r.ID, c.Name)
		}
		return 0
	}
	p.check(n, &r)
	p.out.Rules = append(p.out.Rules, r)
	return r.Weight
}

// forms reads the patterns of a rule or an exception.
func (p *parser) forms(f map[string]*yaml.Node) Patterns {
	return Patterns{
		Words: p.patterns(f["words"], "words"), Prefixes: p.patterns(f["prefixes"], "prefixes"), Suffixes: p.patterns(f["suffixes"], "suffixes"),
		Compounds: p.patterns(f["compounds"], "compounds"), Parts: p.patterns(f["parts"], "parts"),
	}
}

// exceptions are a list of words, or a map of forms.
func (p *parser) exceptions(n *yaml.Node, what string) Patterns {
	if n == nil || n.Kind != yaml.MappingNode {
		return Patterns{Words: p.patterns(n, what)}
	}
	return p.forms(p.fields(n, what, keys(formFields)...))
}

func (p *parser) patterns(n *yaml.Node, what string) []string {
	var out []string
	seen := map[string]bool{}
	for _, w := range p.list(n, what) {
		text := strings.Join(strings.Fields(p.text(w, "an entry of "+what)), " ")
		words := Words(text)
		folded := strings.Join(words, " ")
		letters := 0
		for _, r := range folded {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				letters++
			}
		}
		switch p.words++; {
		case letters < 2:
			p.fail(w, "one letter fires on almost any text", "%q in %s has fewer than two letters", text, what)
		case len(text) > 200:
			p.fail(w, "", "an entry of %s is longer than 200 bytes", what)
		case len(words) > 1 && (what == "compounds" || what == "parts"):
			p.fail(w, "use prefixes or suffixes for phrases", "%q in %s is more than one word", text, what)
		case p.words == maxWords+1:
			p.fail(w, "", "more than %d words", maxWords)
		case p.words > maxWords:
		case seen[folded]:
			p.fail(w, "remove one of them", "%q stands twice in %s", text, what)
		default:
			seen[folded] = true
			if p.places != nil {
				p.places[entry{form: what, text: text}] = w
			}
			if expression().MatchString(text) {
				p.warn(w, "use prefixes, suffixes, compounds or parts for open ends, and one entry per alternative", "%q in %s is no pattern with wildcards: it fires on the words %q as they stand", text, what, folded)
			}
			out = append(out, text)
		}
	}
	return out
}
