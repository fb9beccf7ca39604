package taxonomy

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// Test says what the rules must make of a text.
type Test struct {
	Title, Description string
	// Language is that of the text; empty lets its letters say.
	Language string
	// Want are the categories that must be present, and no others; nil leaves
	// them free.
	Want []Want
	// Not are categories that must be absent.
	Not  []int
	Line int // in the file
}

// Want is a category that must be present.
type Want struct {
	Category int
	Tag      int // index in the category's tags; -1 is any
}

// ParseTests reads a file of rule tests:
//
//	tests:
//	  - {text: Storbrand i Västberga, want: emergencies/fire}
//	  - {text: Bil i diket, want: [transportation/accident, emergencies]}
//	  - {text: Läget i Ukraina, not: weather_wet}
//	  - {text: Så väljer du rätt skor, want: none}
//	  - {text: Storm, language: sv, want: weather_wet}
//
// want lists all categories of the text, each with its tag or without; not lists
// some that it is not. All mistakes are reported at once.
func ParseTests(data []byte, t *Taxonomy) ([]Test, []Problem) {
	p := &parser{}
	root := p.document(data)
	if root == nil {
		return nil, p.problems
	}
	f := p.fields(root, "a file of rule tests", "tests")
	var out []Test
	for _, n := range p.list(f["tests"], "tests") {
		out = append(out, p.test(n, t))
	}
	if len(out) == 0 && len(p.problems) == 0 {
		p.fail(root, "for example `tests: [{text: Storm closes the harbour, want: weather}]`", "the file holds no tests")
	}
	return out, p.problems
}

func (p *parser) test(n *yaml.Node, t *Taxonomy) Test {
	f := p.fields(n, "a test", "text", "description", "language", "want", "not")
	out := Test{Title: p.text(f["text"], "text"), Description: p.text(f["description"], "description"), Line: n.Line}
	if strings.TrimSpace(out.Title) == "" {
		p.fail(n, "", "a test needs a text")
	}
	if l := f["language"]; l != nil {
		out.Language = p.language(l)
	}
	if f["want"] == nil && f["not"] == nil {
		p.fail(n, "`want: none` means that no category is present", "a test needs want or not")
	}
	if w := f["want"]; w != nil {
		out.Want = []Want{}
		if w.Kind != yaml.ScalarNode || w.Value != "none" {
			for _, c := range p.list(w, "want") {
				if x, ok := p.want(c, t); ok {
					out.Want = append(out.Want, x)
				}
			}
		}
	}
	for _, c := range p.list(f["not"], "not") {
		if x, ok := p.want(c, t); ok {
			out.Not = append(out.Not, x.Category)
		}
	}
	return out
}

// want reads `category` or `category/tag`.
func (p *parser) want(n *yaml.Node, t *Taxonomy) (Want, bool) {
	name, tag, tagged := strings.Cut(p.text(n, "a category"), "/")
	w := Want{Category: t.Index(name), Tag: -1}
	if w.Category < 0 {
		p.fail(n, suggest(name, t.Names()), "%q is no category of the taxonomy", name)
		return w, false
	}
	if tagged {
		if w.Tag = t.Categories[w.Category].TagIndex(tag); w.Tag < 0 {
			p.fail(n, "its tags: "+strings.Join(t.Categories[w.Category].Tags[1:], ", "), "category %s has no tag %q", name, tag)
			return w, false
		}
	}
	return w, true
}
