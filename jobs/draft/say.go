package draft

import (
	"fmt"
	"path/filepath"
	"strings"
)

// say tells what the table holds, and what was made of it.
func (p *problem) say() []string {
	t := p.t
	head := fmt.Sprintf("%s: %s", filepath.Base(t.path), count(len(t.rows), "row"))
	if t.cut {
		head = fmt.Sprintf("%s: the first %s", filepath.Base(t.path), count(len(t.rows), "row"))
	}
	head += t.dialect()
	out := []string{head + ", columns " + strings.Join(t.shown(), ", ")}
	out = append(out, p.unusable()...)
	text := "text: " + shownWord(t.names[p.columns.title])
	if p.columns.description >= 0 {
		text += " and " + shownWord(t.names[p.columns.description])
	}
	out = append(out, text+" (--text, --description)")
	if p.notEnglish() {
		out = append(out, "the texts do not look English, which is what all-minilm-l6-v2 reads: with `encoder: "+multilingual+"` in the plan the model is likely better")
	}
	l := p.labels
	if l == nil {
		return append(out, "label: no column"+p.unfit()+"; taxonomy.yaml has two examples of rules, to be replaced by yours (--label)",
			"no gold set: the plan measures the model on what the rules say and publishes nothing; its last lines say how to go on")
	}
	var each []string
	for c, name := range l.names {
		if text := l.called(c); text != "" {
			name += " (" + text + ")"
		}
		each = append(each, fmt.Sprintf("%s %d", name, l.counts[c]))
	}
	kind := "any number for a row"
	if l.single {
		kind = "one for a row"
	}
	out = append(out, fmt.Sprintf("label: %s, %s, %s: %s (--label, --labels)", strings.Join(p.labelColumns(), ", "), categories(len(l.names)), kind, strings.Join(each, ", ")))
	if d := p.columns.doubted; len(d) > 0 {
		out = append(out, fmt.Sprintf("no column's name says that it is the label: %s could be it as well as %s, which has the fewest values (--label)", strings.Join(d, ", "), strings.Join(p.labelColumns(), ", ")))
	}
	if l.none > 0 {
		out = append(out, count(l.none, "row")+" of no category")
	}
	if l.unlabelled > 0 {
		out = append(out, count(l.unlabelled, "row")+" without a label: they do not train")
	}
	if len(l.left) > 0 {
		var names []string
		for _, x := range l.left {
			names = append(names, fmt.Sprintf("%s %d", shownWord(x.text), x.rows))
		}
		out = append(out, fmt.Sprintf("left out, having fewer than %s: %s (--min-rows)", count(p.o.MinRows, "row"), strings.Join(names, ", ")))
	}
	if p.long() {
		out = append(out, fmt.Sprintf("train reads %s %d times, an hour or more without a GPU: `sprint run --set train.method=heads` reads them once", count(p.training(), "row"), p.epochs()))
	}
	if p.hasGold() {
		return append(out, fmt.Sprintf("gold: %s set aside to measure on, which never train (--gold)", count(p.goldRows(), "row")))
	}
	return append(out, "no gold set: the model is measured on the part of the rows that split keeps for it")
}

// unfit says why a column whose name is one of labels was not taken for them; empty if there
// is none, or people said that no column is.
func (p *problem) unfit() string {
	if len(p.o.Label) > 0 {
		return ""
	}
	for _, n := range labelNames {
		i := p.t.meaning(n)
		if i < 0 || i == p.columns.title || i == p.columns.description {
			continue
		}
		switch x, name := &p.t.profiles[i], shownWord(p.t.names[i]); {
		case x.filled == 0:
			return fmt.Sprintf(" (%s has no text and no number in its cells, and lists are not read)", name)
		case x.values == nil:
			return fmt.Sprintf(" (%s has more than %d different values)", name, maxValues)
		case x.distinct < 2:
			return fmt.Sprintf(" (%s has one value)", name)
		case x.distinct*rowsForEach > x.filled:
			return fmt.Sprintf(" (%s has %d different values in %s, which is few rows for each: --label %s --min-rows N takes it)", name, x.distinct, count(x.filled, "row"), name)
		}
	}
	return ""
}

// unusable says which rows of the table are left out or mended.
func (p *problem) unusable() []string {
	var out []string
	if p.t.bad > 0 {
		out = append(out, count(p.t.bad, "record")+" cannot be read, and are left out")
	}
	if p.untitled > 0 {
		out = append(out, count(p.untitled, "row")+" without a text, which are left out")
	}
	if w := p.t.written; w.Mended > 0 {
		out = append(out, count(w.Mended, "row")+" not in "+w.Encoding+", mended with U+FFFD (--encoding)")
	}
	return out
}

func categories(n int) string {
	if n == 1 {
		return "1 category"
	}
	return fmt.Sprintf("%d categories", n)
}

// dialect is how the table is written, where it is not plain csv in UTF-8.
func (t *surveyed) dialect() string {
	head := ""
	switch t.written.Delimiter {
	case 0, ',':
	case '\t':
		head += ", separated by tabs"
	default:
		head += ", separated by " + string(t.written.Delimiter)
	}
	switch t.written.Encoding {
	case "", utf8Name:
	case "windows-1252":
		head += ", Latin-1 (windows-1252)"
	default:
		head += ", " + t.written.Encoding
	}
	if t.numbered() {
		head += ", without a header"
	}
	return head
}
