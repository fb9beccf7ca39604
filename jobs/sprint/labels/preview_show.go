package labels

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/sprint-ml/sprint/jobs/labels/preview"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/progress/table"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/metrics"
)

// marks are what stands before and after the words of a text: those that nothing
// is said of, that a dropped hit is about, and that count.
type marks struct {
	around [3][2]string
	colour bool // they are sequences of a terminal
}

const (
	plain = iota
	dropped
	counts
)

func marksOf(a *app.App) marks {
	if sanitize.Terminal(a.Stdout.Out) != nil && a.Getenv("NO_COLOR") == "" && a.Getenv("TERM") != "dumb" {
		return marks{[3][2]string{dropped: {"\x1b[9;31m", "\x1b[0m"}, counts: {"\x1b[1;32m", "\x1b[0m"}}, true}
	}
	return marks{around: [3][2]string{dropped: {"(", ")"}, counts: {"[", "]"}}}
}

// highlight marks the hits in a field of a text. A dropped one that overlaps one
// that counts is not marked; others that overlap are one mark.
func (m marks) highlight(text, field string, t preview.Text) string {
	of := make([]byte, len(text)) // the mark of each byte
	for _, h := range t.Fired {
		if h.Field == field {
			copy(of[h.Start:h.End], bytes.Repeat([]byte{counts}, h.End-h.Start))
		}
	}
	for _, h := range t.Dropped {
		if h.Field == field && !bytes.Contains(of[h.Start:h.End], []byte{counts}) {
			copy(of[h.Start:h.End], bytes.Repeat([]byte{dropped}, h.End-h.Start))
		}
	}
	var b strings.Builder
	for start := 0; start < len(text); {
		end := start + 1
		for end < len(text) && of[end] == of[start] {
			end++
		}
		around, words := m.around[of[start]], text[start:end]
		if m.colour {
			words = sanitize.Text(words)
		}
		b.WriteString(around[0] + words + around[1])
		start = end
	}
	return b.String()
}

// print prints a highlighted line.
func (m marks) print(out *sanitize.Writer, line string) {
	if m.colour {
		out.Painted(line + "\n")
		return
	}
	fmt.Fprintln(out, line)
}

func showPreview(a *app.App, p *preview.Preview) error {
	out := a.Stdout
	m := marksOf(a)
	if n := len(p.Warnings); n > 0 {
		fmt.Fprintf(a.Stderr, "sprint: %s, warnings: %d; `sprint validate` shows them\n", p.Taxonomy, n)
	}
	for i, t := range p.Texts {
		if i > 0 {
			fmt.Fprintln(out)
		}
		m.text(out, t)
	}
	if p.Tests != nil {
		for _, t := range p.Tests.Failed {
			fmt.Fprintf(out, "%s:%d: %s\n", p.Tests.File, t.Line, t.Wrong)
			m.text(out, t.Text)
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "%d of %d rule tests failed\n", len(p.Tests.Failed), p.Tests.Run)
	}
	if p.Sample != nil {
		return showSample(out, a.Screen(), m, p)
	}
	return nil
}

// text prints a text, its categories, and every hit with its rule.
func (m marks) text(out *sanitize.Writer, t preview.Text) {
	m.print(out, m.highlight(t.Title, "title", t))
	if t.Description != "" {
		m.print(out, "  "+m.highlight(t.Description, "description", t))
	}
	fmt.Fprintf(out, "  = %s%s\n", categoriesOf(t), languageOf(t))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, h := range t.Fired {
		fmt.Fprintf(w, "  %s\t%s\t%s\tweight %g\n", h.Words, h.Rule, h.Tag, h.Weight)
	}
	for _, h := range t.Dropped {
		fmt.Fprintf(w, "  %s\t%s\t%s\tdropped by %s\n", h.Words, h.Rule, h.Tag, h.Reason)
	}
	w.Flush()
}

// languageOf says in which language a text is, where that is known.
func languageOf(t preview.Text) string {
	if t.Language == "" {
		return ""
	}
	return "; language " + t.Language
}

// languages counts the rows of a sample by language, the commonest first.
func languages(s *preview.Sample) string {
	names := slices.SortedFunc(maps.Keys(s.Languages), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.Languages[b], s.Languages[a]), cmp.Compare(a, b))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, s.Languages[name])
	}
	return strings.Join(names, ", ")
}

// categoriesOf lists the categories of a text in the order of what fired.
func categoriesOf(t preview.Text) string {
	var parts []string
	for _, name := range t.Of {
		l, ok := t.Categories[name]
		if !ok {
			continue
		}
		if l.Tag != "" {
			name += "/" + l.Tag
		}
		parts = append(parts, fmt.Sprintf("%s %g", name, l.Score))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

func share(n, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", 100*float64(n)/float64(of))
}

func showSample(out *sanitize.Writer, screen table.Screen, m marks, p *preview.Preview) error {
	s := p.Sample
	for _, t := range s.Shown {
		m.print(out, m.highlight(t.Title, "title", t))
		fmt.Fprintf(out, "  = %s%s\n", categoriesOf(t), languageOf(t))
	}
	if len(s.Words) > 0 {
		fmt.Fprintf(out, "words that tell these rows from the others: %s\n", strings.Join(s.Words, ", "))
	}
	if len(s.Shown) > 0 {
		fmt.Fprintln(out)
	}
	fmt.Fprintf(out, "%d of %d rows from %s", s.Rows, s.All, s.From)
	if s.GoldOut > 0 {
		fmt.Fprintf(out, ", %d gold rows left out", s.GoldOut)
	}
	fmt.Fprintf(out, "\ncovered %d (%s), several categories %d, rules of different tags %d, for and against %d\n\n", s.Covered, share(s.Covered, s.Rows), s.Overlap, s.Conflicts, s.Contested)
	if len(s.Languages) > 0 {
		fmt.Fprintf(out, "languages: %s\n\n", languages(s))
	}
	columns := []table.Column{{Name: "CATEGORY"}, {Name: "ROWS"}, {Name: "SHARE", Drop: 1}, {Name: "ALONE", Drop: 2}}
	if p.Gold != nil {
		columns = append(columns, table.Column{Name: "GOLD"}, table.Column{Name: "PRECISION"}, table.Column{Name: "RECALL"}, table.Column{Name: "F1"}, table.Column{Name: "TAGS", Drop: 3})
	}
	w := screen.Table(nil, columns...)
	for _, c := range s.Categories {
		cells := []any{c.Name, c.Rows, share(c.Rows, s.Rows), c.Alone}
		if p.Gold != nil {
			g := p.Gold.PerCategory[c.Name]
			cells = append(cells, g.Support, f3(g.Precision), f3(g.Recall), f3(g.F1), f3(g.TagAccuracy))
		}
		w.Row(cells...)
	}
	if err := w.Write(out); err != nil {
		return err
	}
	if p.Gold != nil {
		fmt.Fprintf(out, "gold: macro-F1 %.3f, micro-F1 %.3f on %d rows", p.Gold.MacroF1, p.Gold.MicroF1, p.Gold.Rows)
		if len(p.Gold.Unsupported) > 0 {
			fmt.Fprintf(out, " (macro without %s: fewer than %d positives)", strings.Join(p.Gold.Unsupported, ", "), metrics.MinSupport)
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintln(out)
	return showRules(out, screen, p)
}

func f3(x float64) string { return fmt.Sprintf("%.3f", x) }

func showRules(out *sanitize.Writer, screen table.Screen, p *preview.Preview) error {
	columns := []table.Column{{Name: "RULE"}, {Name: "TAG", Drop: 2}, {Name: "WEIGHT", Drop: 1}, {Name: "ROWS"}, {Name: "SOLE", Drop: 3}}
	if p.Gold != nil {
		columns = append(columns, table.Column{Name: "GOLD"}, table.Column{Name: "TAG RIGHT", Drop: 4})
	}
	w := screen.Table(nil, append(columns, table.Column{Name: "WORDS", Cut: true})...)
	var dead []string
	for _, r := range p.Sample.Rules {
		if r.Dead {
			dead = append(dead, r.ID)
		}
		if r.Dead && r.Gold == 0 {
			continue
		}
		cells := []any{r.ID, r.Tag, fmt.Sprintf("%g", r.Weight), r.Rows, r.Sole}
		if p.Gold != nil {
			cells = append(cells, counted(r.Right, r.Gold), counted(r.TagRight, r.TagKnown))
		}
		w.Row(append(cells, topWords(r))...)
	}
	if err := w.Write(out); err != nil {
		return err
	}
	for _, r := range p.Sample.Rules {
		if r.Dominating {
			fmt.Fprintf(out, "dominating: %s alone makes %d rows of its category\n", r.ID, r.Sole)
		}
	}
	if len(dead) > 0 {
		fmt.Fprintf(out, "dead: %s\n", strings.Join(dead, ", "))
	}
	return nil
}

func counted(right, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%d/%d", right, of)
}

func topWords(r keywords.RuleSurvey) string {
	var parts []string
	for _, w := range r.Words[:min(4, len(r.Words))] {
		parts = append(parts, fmt.Sprintf("%s %d", w.Word, w.Rows))
	}
	if n := len(r.Words) - len(parts); n > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(parts, ", ")
}
