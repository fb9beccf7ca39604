package table

import (
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"golang.org/x/term"
)

// Screen is where tables are shown.
type Screen struct {
	Width  int  // in characters; 0 for what takes lines of any length
	Colour bool // rows may be coloured
}

// ScreenOf says what is behind a writer. getenv looks up NO_COLOR and TERM; full asks for
// tables as wide as they are.
func ScreenOf(out *sanitize.Writer, getenv func(string) string, full bool) Screen {
	f := sanitize.Terminal(out.Out)
	if f == nil {
		return Screen{}
	}
	s := Screen{Width: 80, Colour: getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"}
	if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
		s.Width = w
	}
	if full {
		s.Width = 0
	}
	return s
}

// The colours of rows.
const (
	Good  = "\x1b[32m"
	Bad   = "\x1b[31m"
	Doubt = "\x1b[33m"
	Faint = "\x1b[2m"
)

// Table is a table for the screen, whose rows are coloured by paint; nil colours none.
func (s Screen) Table(paint func(row int) string, columns ...Column) *Table {
	t := &Table{Columns: columns, Width: s.Width}
	if s.Colour {
		t.Paint = paint
	}
	return t
}
