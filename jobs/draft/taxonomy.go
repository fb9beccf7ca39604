package draft

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// taxonomy is taxonomy.yaml: the categories, and words by which rules may know them.
func (p *problem) taxonomy() []byte {
	var b strings.Builder
	fmt.Fprintln(&b, modeline("taxonomy.schema.json"))
	b.WriteString("# The categories, as the table's labels have them. The words are those that tell the rows\n# of a category from the others, as far as the rows may train: a suggestion, to be mended.\n# They label nothing unless the plan says `source: [columns, rules]`; they are the baseline\n# `keywords`, and answer where no model can.\n")
	if p.labels.single {
		b.WriteString("labels: single # a row has one category, or none; multi: any number\n")
	}
	b.WriteString("categories:\n")
	for c, name := range p.labels.names {
		rows := count(p.labels.counts[c], "row")
		if text := p.labels.called(c); text != "" {
			rows = text + ", " + rows
		}
		fmt.Fprintf(&b, "  - name: %s # %s\n", name, rows)
		if p.labels.tags != nil && len(p.labels.tags[c]) > 0 {
			fmt.Fprintf(&b, "    tags: [%s]\n", yamlWords(p.labels.tags[c]))
		}
		if words := p.telling(c); len(words) > 0 {
			fmt.Fprintf(&b, "    rules:\n      - {id: suggested, words: [%s]}\n", yamlWords(words))
		} else {
			b.WriteString("    # No word tells its rows from the others:\n    # rules: [{words: [...]}]\n")
		}
	}
	return []byte(b.String())
}

// frame is taxonomy.yaml where no row is labelled: examples to be replaced.
func (p *problem) frame() []byte {
	words, texts := p.frequent()
	var b strings.Builder
	fmt.Fprintln(&b, modeline("taxonomy.schema.json"))
	b.WriteString("# EXAMPLES, to be replaced by your categories: a name, and rules with the words by which a\n# text is of it. A row is of each category of which a rule fires; with `labels: single`\n# here at the head it is of one. `sprint label-preview --of none` shows what no rule finds.\n")
	if len(words) > 0 {
		fmt.Fprintf(&b, "# Words of many texts of the table: %s.\n", strings.Join(words, ", "))
	}
	b.WriteString("categories:\n")
	for _, e := range p.examples(words, texts) {
		fmt.Fprintf(&b, "  - name: %s\n    rules:\n      - {id: words, words: [%s]}\n      # - {id: phrases, phrases: [two words], not: [where it says something else]}\n", e.name, yamlWords(e.words))
	}
	return []byte(b.String())
}

func yamlWords(words []string) string {
	var out []string
	for _, w := range words {
		out = append(out, yamlWord(w))
	}
	return strings.Join(out, ", ")
}

// yamlWord is a text as a plain scalar of YAML where every reader takes it for text.
func yamlWord(text string) string {
	switch strings.ToLower(text) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return strconv.Quote(text)
	}
	for i, r := range text {
		if !unicode.IsLetter(r) && r != '_' && (i == 0 || !unicode.IsDigit(r) && !strings.ContainsRune(" -./", r)) {
			return strconv.Quote(text)
		}
	}
	if text == "" || strings.TrimSpace(text) != text {
		return strconv.Quote(text)
	}
	return text
}

var plainPath = regexp.MustCompile(`^(?:\.{1,2}/|/)?[A-Za-z_/][A-Za-z0-9._/+ -]*$`)

// yamlPath is yamlWord of a path.
func yamlPath(path string) string {
	if plainPath.MatchString(path) && !strings.HasSuffix(path, " ") {
		return path
	}
	return yamlWord(path)
}

// count is a number of things in words.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}
