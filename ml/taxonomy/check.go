package taxonomy

import (
	"cmp"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// entry is a folded pattern in its form, and the language of its rule.
type entry struct{ form, text, language string }

// firstUse is the first rule of a category that has an entry.
type firstUse struct {
	rule   string
	line   int
	weight float64
	tag    int
}

// maxCompared caps the pairs of entries that are compared within one rule: a
// lint must not cost more than the work it is about.
const maxCompared = 100_000

// folded is a pattern of a rule, ready to be compared.
type folded struct {
	form, text string
	words      []string
}

func (f folded) String() string { return fmt.Sprintf("%q of %s", f.text, f.form) }

func (p Patterns) folded() []folded {
	var out []folded
	for _, form := range p.forms() {
		for _, text := range form.entries {
			out = append(out, folded{form.name, text, Words(text)})
		}
	}
	return out
}

// check reports entries that contradict each other or say nothing new.
func (p *parser) check(n *yaml.Node, r *Rule) {
	at := func(x folded) *yaml.Node {
		node := p.places[entry{form: x.form, text: x.text}]
		if node == nil && x.form == "words" {
			node = p.places[entry{form: "phrases", text: x.text}]
		}
		return cmp.Or(node, n)
	}
	own := r.Patterns.folded()
	for _, x := range own {
		e := entry{x.form, strings.Join(x.words, " "), r.Language}
		if p.shared[e]++; p.shared[e] == maxShared+1 {
			p.fail(at(x), "let fewer rules ask for it", "%q stands in more than %d rules", x.text, maxShared)
		}
		old, there := p.entries[e]
		switch {
		case !there:
			p.entries[e] = firstUse{r.ID, n.Line, r.Weight, r.Tag}
		case old.weight*r.Weight < 0:
			p.fail(at(x), "remove one of them", "%q speaks for the category in one rule and against it in another: %s here and %s in line %d", x.text, r.ID, old.rule, old.line)
		case old.tag != r.Tag:
			p.warn(at(x), "remove one of them", "%q has another tag in rule %s, line %d: the stronger rule decides", x.text, old.rule, old.line)
		default:
			p.warn(at(x), "remove one of them", "%q stands in rule %s too, line %d", x.text, old.rule, old.line)
		}
	}
	for _, exceptions := range [][]folded{r.Not.folded(), r.Except.folded()} {
		if len(own)*len(exceptions) > maxCompared {
			continue
		}
		for _, x := range own {
			if by := x.impliedBy(exceptions, -1); by != nil {
				p.fail(at(x), "remove one of them", "%q can never fire in rule %s: it holds the exception %s", x.text, r.ID, by)
			}
		}
	}
	if len(own)*len(own) > maxCompared {
		return
	}
	for i, x := range own {
		if by := x.impliedBy(own, i); by != nil {
			p.warn(at(x), "remove it", "%q says nothing new in rule %s: %s fires wherever it does", x.text, r.ID, by)
		}
	}
}

// impliedBy finds another pattern that occurs wherever f does, leaving one out. It knows the plain
// cases: of a pattern that is open at an end only what is open there too.
func (f folded) impliedBy(others []folded, but int) *folded {
	for i := range others {
		o := &others[i]
		if i == but || f.form != "words" && f.form != o.form || f.form == "compounds" || f.form == "parts" {
			continue
		}
		for at := 0; at+len(o.words) <= len(f.words); at++ {
			if o.matches(f.words[at : at+len(o.words)]) {
				return o
			}
		}
	}
	return nil
}

// matches reports whether a pattern matches words whole.
func (f folded) matches(words []string) bool {
	for i, w := range f.words {
		switch {
		case w == words[i]:
		case f.form == "prefixes" && i == len(f.words)-1 && strings.HasPrefix(words[i], w):
		case f.form == "suffixes" && i == 0 && strings.HasSuffix(words[i], w):
		default:
			return false
		}
	}
	return true
}
