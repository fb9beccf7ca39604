package progress

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/runs"
	"golang.org/x/term"
)

// ttyView keeps one live line per running stage at the bottom of the terminal.
type ttyView struct {
	summary
	out   io.Writer
	width func() int
	color bool

	mu      sync.Mutex
	running []string
	text    map[string]string
	began   map[string]time.Time
	drawn   int
	stop    func()
}

// paints are the colours of states, as terminals number them.
var paints = map[runs.State]string{
	runs.Succeeded: "32", runs.Cached: "2", runs.Failed: "31", runs.Lost: "33", runs.Interrupted: "33",
}

func newTTY(o Options) *ttyView {
	v := &ttyView{summary: summary{o}, out: o.Err.Out, color: o.Getenv("NO_COLOR") == "", text: map[string]string{}, began: map[string]time.Time{}}
	v.width = func() int {
		if f := sanitize.Terminal(o.Err.Out); f != nil {
			if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 20 {
				return w
			}
		}
		return 80
	}
	v.stop = every(200*time.Millisecond, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.draw("")
	})
	return v
}

func (v *ttyView) Observe(e runs.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch e.Type {
	case runs.EventProgress:
		v.text[e.Stage] = sanitize.Text(progressText(*e.Progress))
		return // the ticker draws
	case runs.EventState:
		switch {
		case *e.State == runs.Running || *e.State == runs.Waiting:
			v.drop(e.Stage)
			v.running = append(v.running, e.Stage)
			v.text[e.Stage] = sanitize.Text(e.Reason)
			v.began[e.Stage] = time.Now()
			v.draw("")
			return
		case e.State.Final():
			v.drop(e.Stage)
		}
	}
	if line := v.line(e); line != "" {
		v.draw(v.paint(e, sanitize.Text(line)) + "\n")
	}
}

func (v *ttyView) drop(stage string) {
	v.running = slices.DeleteFunc(v.running, func(s string) bool { return s == stage })
}

// paint colours a line by what it says.
func (v *ttyView) paint(e runs.Event, line string) string {
	if !v.color || e.Type != runs.EventState {
		return line
	}
	if code := paints[*e.State]; code != "" {
		return "\x1b[" + code + "m" + line + "\x1b[0m"
	}
	return line
}

// draw writes permanent lines above the live ones and draws those anew, in one
// write, so that nothing flickers.
func (v *ttyView) draw(above string) {
	var b strings.Builder
	if v.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r\x1b[J", v.drawn)
	}
	b.WriteString(above)
	width := v.width()
	for _, s := range v.running {
		line := fmt.Sprintf("%-10s %4.0fs  %s", s, time.Since(v.began[s]).Seconds(), v.text[s])
		b.WriteString(cut(strings.ReplaceAll(line, "\n", " "), width-1) + "\n")
	}
	v.drawn = len(v.running)
	if b.Len() > 0 {
		_, _ = io.WriteString(v.out, b.String())
	}
}

// cut shortens a line to a width in characters.
func cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	runes := []rune(s)
	return string(runes[:max(width-1, 0)]) + "…"
}

func (v *ttyView) Close() {
	v.stop()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.running = nil
	v.draw("")
}

func (v *ttyView) Finish(ctx context.Context, r *runs.Result) {
	v.Close()
	v.show(ctx, r)
}
