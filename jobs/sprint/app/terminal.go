package app

import (
	"cmp"

	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/progress/table"
)

// Screen is where answers are shown.
func (a *App) Screen() table.Screen { return table.ScreenOf(a.Stdout, a.Getenv, a.Full) }

// Table is a table of answers without colours.
func (a *App) Table(columns ...table.Column) *table.Table { return a.Screen().Table(nil, columns...) }

// Width is that of the terminal to which answers go, in characters; 0 for anything
// else, which takes lines of any length.
func (a *App) Width() int { return a.Screen().Width }

// Watched reports whether somebody sees a line of progress.
func (a *App) Watched() bool {
	return !a.Quiet && sanitize.Terminal(a.Stderr.Out) != nil && a.Getenv("TERM") != "dumb"
}

// lineWidth is the width of the terminal on which progress is shown.
func (a *App) lineWidth() int { return cmp.Or(table.ScreenOf(a.Stderr, a.Getenv, false).Width, 80) }
