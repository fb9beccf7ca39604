package table

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
)

func sample(width int) *Table {
	t := &Table{Columns: []Column{{Name: "RUN"}, {Name: "PLAN", Drop: 1}, {Name: "SECONDS", Right: true, Drop: 2}, {Name: "WHY", Cut: true}}, Width: width}
	t.Row("20260102-150405-0660185f", "quickstart-of-somebody", 1.5, strings.Repeat("the options changed ", 5))
	t.Row("20260102-150405-0660185e", "q", 12, "räksmörgås")
	return t
}

// TestWidths: without a width all is there; else no line is longer, what may be dropped
// goes first, and a narrow terminal has blocks.
func TestWidths(t *testing.T) {
	for _, c := range []struct {
		width  int
		has    string
		hasNot string
	}{
		{0, strings.TrimSpace(strings.Repeat("the options changed ", 5)), "…"},
		{200, strings.TrimSpace(strings.Repeat("the options changed ", 5)), "…"},
		{120, "quickstart-of-somebody", "changed the options changed the options changed the options changed"},
		{80, "SECONDS", "PLAN"},
		{79, "\n  PLAN     quickstart-of-somebody\n  SECONDS  1.5\n  WHY", "RUN "},
		{40, "20260102-150405-0660185e\n  PLAN     q\n", "RUN "},
	} {
		var b strings.Builder
		if err := sample(c.width).Write(&sanitize.Writer{Out: &b}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); c.width > 0 && n > c.width {
				t.Errorf("width %d: %d characters in %q", c.width, n, line)
			}
		}
		if !strings.Contains(b.String(), c.has) || strings.Contains(b.String(), c.hasNot) {
			t.Errorf("width %d: want %q and no %q in\n%s", c.width, c.has, c.hasNot, b.String())
		}
	}
}

// TestPaint: only the rows that are to be are coloured, and values cannot colour.
func TestPaint(t *testing.T) {
	var b strings.Builder
	tb := &Table{Columns: []Column{{Name: "A"}, {Name: "B", Right: true}}, Paint: func(row int) string { return []string{"", "\x1b[31m"}[row] }}
	tb.Row("x", "1")
	tb.Row("\x1b[2Jy", "22\n3")
	if err := tb.Write(&sanitize.Writer{Out: &b}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("A"+strings.Repeat(" ", 14)+"B\nx"+strings.Repeat(" ", 14)+"1\n\x1b[31m\\u001b[2Jy  22 3\x1b[0m\n", b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
