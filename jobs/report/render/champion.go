package render

import (
	"bytes"
	"fmt"
	"io"

	"github.com/sprint-ml/sprint/jobs/comparison"
	"github.com/sprint-ml/sprint/jobs/runs"
)

// Champion writes as Markdown how a run stands beside the champion of a model. figures are
// those of the run, nil if it measured nothing.
func Champion(w io.Writer, model string, c *comparison.Champion, figures *runs.Figures) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "\n## Beside the champion of %s\n\n", Escaped(model))
	switch {
	case c.Ref == "":
		b.WriteString("There is no champion yet.\n")
	case c.Same:
		fmt.Fprintf(&b, "The champion is %s, what this run published.\n", Escaped(c.Ref))
	default:
		championTable(&b, c, figures)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func championTable(b *bytes.Buffer, c *comparison.Champion, figures *runs.Figures) {
	value := func(v *float64) string {
		if v == nil {
			return "n/a"
		}
		return fmt.Sprintf("%.3f", *v)
	}
	if c.Rows == nil {
		now, on := (*float64)(nil), ""
		if figures != nil {
			now, on = figures.MacroF1, figures.On
		}
		fmt.Fprintf(b, "| figure | %s | this run |\n| --- | --: | --: |\n| macro-F1 | %s on %s | %s on %s |\n\n", Escaped(c.Ref), value(c.MacroF1), Escaped(orNothing(c.On)), value(now), Escaped(orNothing(on)))
		fmt.Fprintf(b, "They cannot be compared row by row: %s.\n", Escaped(c.Why))
		return
	}
	fmt.Fprintf(b, "| figure | %s | this run | change | 95 %% interval | |\n| --- | --: | --: | --: | --: | --- |\n", Escaped(c.Ref))
	for i, x := range append([]comparison.Change{c.Rows.MacroF1, c.Rows.MicroF1}, c.Rows.Categories...) {
		name := x.Name
		if i > 1 {
			name = "F1 of " + name
		}
		change, interval := "n/a", ""
		if x.Before != nil {
			change, interval = fmt.Sprintf("%+.3f", x.Change), fmt.Sprintf("%+.3f to %+.3f", x.CI[0], x.CI[1])
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", Escaped(name), value(x.Before), value(x.After), change, interval, Escaped(x.Word))
	}
	fmt.Fprintf(b, "\nOn the %d rows of %s that both measured.\n", c.Rows.Rows, Escaped(c.Rows.On))
}

func orNothing(on string) string {
	if on == "" {
		return "nothing"
	}
	return on
}
