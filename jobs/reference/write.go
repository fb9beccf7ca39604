package reference

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/sprint-ml/sprint/config/options"
)

// WriteText writes a page for a terminal.
func (p *Page) WriteText(out io.Writer) error {
	fmt.Fprintf(out, "%s\n\n%s\n", p.Title, strings.TrimRight(p.Text, "\n"))
	if p.Example != "" {
		fmt.Fprintln(out, "\nExample:")
		for line := range strings.SplitSeq(strings.TrimRight(p.Example, "\n"), "\n") {
			fmt.Fprintf(out, "  %s\n", line)
		}
	}
	if len(p.Parts) > 0 {
		fmt.Fprintf(out, "\nMore: sprint schema --kind NAME for %s\n", strings.Join(p.Parts, ", "))
	}
	if len(p.Fields) == 0 {
		return nil
	}
	fmt.Fprintln(out, "\nOptions:")
	w := tabwriter.NewWriter(out, 2, 0, 2, ' ', 0)
	for _, f := range p.Fields {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", f.Path, f.Default, detail(f), f.Doc)
	}
	return w.Flush()
}

func detail(f options.Field) string {
	if f.Allowed != "" {
		return f.Type + ": " + f.Allowed
	}
	return f.Type
}

// WriteMarkdown writes a page for a folder of pages.
func (p *Page) WriteMarkdown(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", p.Title)
	fence := false
	for line := range strings.SplitSeq(strings.TrimRight(p.Text, "\n"), "\n") {
		if verbatim := strings.HasPrefix(line, "  "); verbatim != fence {
			fence = verbatim
			b.WriteString("```\n")
		}
		b.WriteString(line + "\n")
	}
	if fence {
		b.WriteString("```\n")
	}
	if p.Example != "" {
		fmt.Fprintf(&b, "\n## Example\n\n```yaml\n%s\n```\n", strings.TrimRight(p.Example, "\n"))
	}
	if len(p.Parts) > 0 {
		b.WriteString("\n## Pages\n\n")
		for _, name := range p.Parts {
			fmt.Fprintf(&b, "- [%s](%s.md)\n", name, name)
		}
	}
	if len(p.Fields) > 0 {
		b.WriteString("\n## Options\n\n| option | default | value | meaning |\n|---|---|---|---|\n")
		for _, f := range p.Fields {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Path, code(f.Default), cell(detail(f)), cell(f.Doc))
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func code(s string) string {
	if s == "" || s == "required" {
		return cmp.Or(s, " ")
	}
	return "`" + cell(s) + "`"
}

// cell keeps a text within one cell of a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(s)
}
