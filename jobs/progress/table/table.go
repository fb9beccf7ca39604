// Package table lays rows out in columns that fit a terminal: what is long is cut,
// what matters least is dropped, and where a terminal is narrow each row is a block
// of lines. Without a width nothing is left out.
package table

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
)

// Column is a column of a table.
type Column struct {
	Name  string
	Right bool // figures, set to the right
	// Drop orders the columns that may be left out, 1 first; 0 stays.
	Drop int
	// Cut says that its values may be cut at their end.
	Cut bool
}

// Table is a table to be printed. The zero Width leaves nothing out.
type Table struct {
	Columns []Column
	Width   int // of the terminal in characters; 0 is without end
	// Paint is the sequence that colours a row; nil, or an empty one, colours none.
	Paint func(row int) string

	rows [][]string
}

// Row adds a row, a value for each column.
func (t *Table) Row(values ...any) {
	row := make([]string, len(t.Columns))
	for i := range row {
		if i < len(values) {
			row[i] = sanitize.Text(strings.ReplaceAll(fmt.Sprint(values[i]), "\n", " "))
		}
	}
	t.rows = append(t.rows, row)
}

const (
	gap     = 2  // between columns
	narrow  = 80 // a terminal below shows blocks rather than parts of rows
	leastOf = 12 // characters to which a column is cut at most
)

// Write prints the table.
func (t *Table) Write(out *sanitize.Writer) error {
	keep := make([]int, len(t.Columns))
	for i := range keep {
		keep[i] = i
	}
	widths := t.widths()
	if t.Width > 0 && total(widths, keep) > t.Width {
		if t.Width < narrow {
			return t.blocks(out)
		}
		keep = t.fit(widths, keep)
	}
	t.line(out, -1, widths, keep)
	for i := range t.rows {
		t.line(out, i, widths, keep)
	}
	return out.Failed()
}

// widths are those of the columns as they are.
func (t *Table) widths() []int {
	widths := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		widths[i] = utf8.RuneCountInString(c.Name)
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	return widths
}

// total is the width of a line of these columns.
func total(widths, keep []int) int {
	sum := gap * (len(keep) - 1)
	for _, i := range keep {
		sum += widths[i]
	}
	return sum
}

// fit drops and cuts columns until a line fits, or nothing is left to drop or cut. A
// column is dropped before another is cut to less than a third of the line.
func (t *Table) fit(widths, keep []int) []int {
	for {
		over := total(widths, keep) - t.Width
		if over <= 0 {
			return keep
		}
		spare := 0
		for _, i := range keep {
			if t.Columns[i].Cut {
				spare += max(0, widths[i]-max(leastOf, t.Width/3))
			}
		}
		drop := -1
		for _, i := range keep {
			if d := t.Columns[i].Drop; d > 0 && (drop < 0 || d < t.Columns[drop].Drop) {
				drop = i
			}
		}
		if spare < over && drop >= 0 {
			keep = slices.DeleteFunc(slices.Clone(keep), func(i int) bool { return i == drop })
			continue
		}
		for _, i := range slices.Backward(keep) {
			if t.Columns[i].Cut {
				less := min(over, max(0, widths[i]-leastOf))
				widths[i] -= less
				over -= less
			}
		}
		return keep
	}
}

// line prints the head, row -1, or a row.
func (t *Table) line(out *sanitize.Writer, row int, widths, keep []int) {
	var b strings.Builder
	for n, i := range keep {
		value := t.Columns[i].Name
		if row >= 0 {
			value = t.rows[row][i]
		}
		value = Cut(value, widths[i])
		space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(value))
		switch {
		case t.Columns[i].Right:
			b.WriteString(space + value)
		case n < len(keep)-1:
			b.WriteString(value + space)
		default:
			b.WriteString(value)
		}
		if n < len(keep)-1 {
			b.WriteString(strings.Repeat(" ", gap))
		}
	}
	t.print(out, row, strings.TrimRight(b.String(), " "))
}

// print prints a line in the colour of its row.
func (t *Table) print(out *sanitize.Writer, row int, line string) {
	paint := ""
	if t.Paint != nil && row >= 0 {
		paint = t.Paint(row)
	}
	if paint == "" {
		fmt.Fprintln(out, line)
		return
	}
	out.Painted(paint + line + "\x1b[0m\n")
}

// blocks prints each row as lines of NAME value; the first has the name of the row.
func (t *Table) blocks(out *sanitize.Writer) error {
	widest, first := 0, 0
	for first < len(t.Columns)-1 && t.Columns[first].Name == "" {
		first++ // marks, such as pass and FAIL, stand before the name
	}
	for _, c := range t.Columns[first+1:] {
		widest = max(widest, utf8.RuneCountInString(c.Name))
	}
	for n, row := range t.rows {
		t.print(out, n, Cut(strings.TrimSpace(strings.Join(row[:first+1], " ")), t.Width))
		for i, c := range t.Columns[first+1:] {
			if value := row[first+1+i]; value != "" {
				fmt.Fprintln(out, Cut(fmt.Sprintf("  %-*s  %s", widest, c.Name, value), t.Width))
			}
		}
	}
	return out.Failed()
}

// Cut shortens a text to so many characters; the last one says that more follows.
func Cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	runes := []rune(s)
	return strings.TrimRight(string(runes[:max(width-1, 0)]), " ") + "…"
}
