package taxonomy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/language"
	"go.yaml.in/yaml/v4"
)

// languagePattern is what a primary subtag looks like.
const languagePattern = `^[a-z]{2,3}$`

// ruleSet is the rules of a category in one language, or in all.
type ruleSet struct {
	language string // empty: any
	prefix   string // of the rules' ids
	rules    *yaml.Node
}

// Languages are those that some rule is of, in the order of the file; none if all rules
// are of any.
func (t *Taxonomy) Languages() []string {
	var out []string
	seen := map[string]bool{"": true}
	for _, r := range t.Rules {
		if !seen[r.Language] {
			seen[r.Language] = true
			out = append(out, r.Language)
		}
	}
	return out
}

// Silent reports whether no rule can fire on a text of a language; "" is one that nobody
// knows.
func (t *Taxonomy) Silent(of string) bool {
	return !slices.ContainsFunc(t.Rules, func(r Rule) bool { return r.Language == "" || r.Language == of })
}

// ruleSets parts rules by their language: a list is of any, a map has a list for each.
func (p *parser) ruleSets(n *yaml.Node) []ruleSet {
	if n == nil || n.Kind != yaml.MappingNode {
		return []ruleSet{{rules: n}}
	}
	if len(n.Content) == 0 {
		p.fail(n, "for example `rules: {sv: [{words: [brand]}], en: [{words: [fire]}]}`", "rules by language name no language")
	}
	var out []ruleSet
	seen := map[string]string{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if slices.Contains(p.ruleKeys, k.Value) && k.Value != "id" { // Indonesian, which is a key too
			p.fail(k, "write `rules: [{"+k.Value+": ...}]`", "rules must be a list of rules, or a map of such lists by language")
			return out
		}
		code := p.language(k)
		switch first, twice := seen[code]; {
		case code == "":
			continue
		case twice:
			p.fail(k, "merge the two", "rules of %s stand twice, as %s and as %s", code, first, k.Value)
			continue
		case v.Kind == yaml.AliasNode || v.Anchor != "":
			p.fail(v, "write the value out", "anchors and aliases are not allowed")
			continue
		case v.Kind != yaml.SequenceNode:
			p.fail(v, "for example `"+k.Value+": [{words: [...]}]`", "rules of %s must be a list", k.Value)
			continue
		}
		seen[code] = k.Value
		set := ruleSet{language: code, prefix: code + ".", rules: v}
		if code == language.Several {
			set.language = ""
		} else if !language.Detectable(code) && !p.told[code] {
			p.told[code] = true
			p.warn(k, "name the rows' language in a column: files: {columns: {language: NAME}}", "the language %s cannot be found out from a text: its rules fire on rows alone whose column language says it", code)
		}
		out = append(out, set)
	}
	return out
}

// language reads a primary subtag, empty after a mistake.
func (p *parser) language(n *yaml.Node) string {
	name := n.Value
	code, ok := language.Code(name)
	plain := n.Kind == yaml.ScalarNode && len(name) <= 3 && name == strings.ToLower(name)
	if ok && plain {
		return code
	}
	hint := "the primary subtags of BCP 47: sv, no, fi; mul for rules of all languages"
	if ok || name != "" && n.Kind == yaml.ScalarNode {
		primary, _, _ := strings.Cut(strings.ToLower(name), "-")
		near, _ := language.Code(primary)
		if near = cmp.Or(near, language.Nearest(name)); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
	}
	p.fail(n, hint, "%q is no language", name)
	return ""
}
