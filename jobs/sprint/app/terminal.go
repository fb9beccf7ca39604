package app

import (
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"golang.org/x/term"
)

// Width is that of the terminal to which answers go, in characters; 0 for anything
// else, which takes lines of any length.
func (a *App) Width() int {
	f := sanitize.Terminal(a.Stdout.Out)
	if f == nil || a.Full {
		return 0
	}
	if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
		return w
	}
	return 80
}

// Colour reports whether answers may be coloured.
func (a *App) Colour() bool {
	return sanitize.Terminal(a.Stdout.Out) != nil && a.Getenv("NO_COLOR") == "" && a.Getenv("TERM") != "dumb"
}

// Watched reports whether somebody sees a line of progress.
func (a *App) Watched() bool {
	return !a.Quiet && sanitize.Terminal(a.Stderr.Out) != nil && a.Getenv("TERM") != "dumb"
}
