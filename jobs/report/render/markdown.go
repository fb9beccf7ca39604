package render

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/jobs/report"
)

// Markdown writes the report for a summary of CI or a chat: the same without
// charts, whose figures stand in its tables.
func Markdown(w io.Writer, r *report.Report) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s: %s\n\n%s\n\n", Escaped(r.Title), Escaped(mark(r.Mark, r.State)), Escaped(r.Lead))
	if len(r.Tiles) > 0 {
		var names, rules, values []string
		for _, t := range r.Tiles {
			names, rules = append(names, Escaped(t.Name)), append(rules, "---")
			value := "**" + Escaped(t.Value) + "**"
			if t.Note != "" {
				value += " " + Escaped(mark(t.Mark, t.Note))
			}
			values = append(values, value)
		}
		for _, row := range [][]string{names, rules, values} {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		}
		b.WriteString("\n")
	}
	mdFacts(&b, r.Facts)
	for _, s := range r.Sections {
		fmt.Fprintf(&b, "## %s\n\n", Escaped(s.Title))
		if s.Intro != "" {
			fmt.Fprintf(&b, "%s\n\n", Escaped(s.Intro))
		}
		for _, m := range s.Missing {
			fmt.Fprintf(&b, "> %s\n\n", Escaped(m))
		}
		mdBlocks(&b, s.Blocks, "###")
	}
	_, err := w.Write(append(bytes.TrimRight(b.Bytes(), "\n"), '\n'))
	return err
}

func mdBlocks(b *bytes.Buffer, blocks []report.Block, level string) {
	for _, x := range blocks {
		switch {
		case x.Fold != "":
			fmt.Fprintf(b, "%s %s\n\n", level, Escaped(x.Fold))
			mdBlocks(b, x.Blocks, level+"#")
		case x.Table != nil:
			mdTable(b, x.Table)
		case x.Chart != nil:
		case len(x.Facts) > 0:
			mdFacts(b, x.Facts)
		case x.Text != "":
			fmt.Fprintf(b, "%s\n\n", Escaped(x.Text))
		}
	}
}

func mdFacts(b *bytes.Buffer, facts []report.Fact) {
	for _, f := range facts {
		fmt.Fprintf(b, "- %s: %s\n", Escaped(f.Name), mdCell(f.Value))
	}
	if len(facts) > 0 {
		b.WriteString("\n")
	}
}

func mdTable(b *bytes.Buffer, t *report.Table) {
	if t.Caption != "" {
		fmt.Fprintf(b, "**%s**\n\n", Escaped(t.Caption))
	}
	var rule strings.Builder
	for _, c := range t.Columns {
		fmt.Fprintf(b, "| %s ", Escaped(c.Name))
		rule.WriteString("|---")
		if c.Number {
			rule.WriteString(":")
		}
	}
	fmt.Fprintf(b, "|\n%s|\n", rule.String())
	for _, row := range t.Rows {
		for _, c := range row {
			fmt.Fprintf(b, "| %s ", mdCell(c))
		}
		b.WriteString("|\n")
	}
	if t.More > 0 {
		fmt.Fprintf(b, "\nand %d more\n", t.More)
	}
	b.WriteString("\n")
}

func mdCell(c report.Cell) string {
	switch {
	case c.Text == "":
		return ""
	case c.Code && !strings.ContainsAny(c.Text, "`|\\"):
		return "`" + c.Text + "`"
	case c.Link != "":
		// Addresses hold no character that would end the link or the cell.
		return "[" + Escaped(c.Text) + "](" + strings.NewReplacer("(", "%28", ")", "%29", "|", "%7C", " ", "%20", "<", "%3C", ">", "%3E").Replace(c.Link) + ")"
	}
	return Escaped(mark(c.Mark, c.Text))
}

func mark(m report.Mark, text string) string {
	if s := sign(m); s != "" {
		return s + " " + text
	}
	return text
}

// Escaped makes a text inert: neither Markdown nor HTML, nor an address that a
// renderer would make a link of.
func Escaped(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case strings.ContainsRune("\\`*_[]|#~!$", r), r == '@' && i > 0:
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == ':' && strings.HasPrefix(s[i:], "://"):
			b.WriteString("&#58;")
		case r == '.' && i >= 3 && strings.EqualFold(s[i-3:i], "www"):
			b.WriteString("&#46;")
		case (r == '-' || r == '+') && strings.TrimSpace(s[:i]) == "" && strings.HasPrefix(s[i+utf8.RuneLen(r):], " "):
			b.WriteByte('\\') // no list
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
