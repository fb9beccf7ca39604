package progress

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/runs"
	"golang.org/x/term"
)

// ttyView keeps one live line per stage at work at the bottom of the terminal, and one
// of the run.
type ttyView struct {
	summary
	out   io.Writer
	width func() int
	color bool

	mu    sync.Mutex
	live  live
	drawn []int // characters of the lines that stand there
	stop  func()
}

// paints are the colours of states, as terminals number them.
var paints = map[runs.State]string{
	runs.Succeeded: "32", runs.Cached: "2", runs.Failed: "31", runs.Lost: "33", runs.Interrupted: "33",
}

func newTTY(o Options) *ttyView {
	v := &ttyView{summary: summary{o}, live: live{graph: o.Graph, parallel: o.Parallel}, out: o.Err.Out, color: o.Getenv("NO_COLOR") == ""}
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
	v.live.observe(e)
	switch {
	case e.Type == runs.EventProgress:
		return // the ticker draws
	case e.Type == runs.EventState && (*e.State == runs.Running || *e.State == runs.Waiting):
		v.draw("")
		return
	}
	if line := v.line(e); line != "" {
		v.draw(v.paint(e, sanitize.Text(line)) + "\n")
	}
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
	width := v.width()
	if n := rowsOf(v.drawn, width); n > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r\x1b[J", n)
	}
	b.WriteString(above)
	lines := make([]string, len(v.live.stages))
	for i, s := range v.live.stages {
		lines[i] = s.String()
	}
	if text := v.live.overall(); text != "" && len(lines) > 0 {
		lines = append(lines, text)
	}
	v.drawn = v.drawn[:0]
	for _, line := range lines {
		text := cut(strings.ReplaceAll(sanitize.Text(line), "\n", " "), width-1)
		v.drawn = append(v.drawn, utf8.RuneCountInString(text))
		b.WriteString(text + "\n")
	}
	if b.Len() > 0 {
		_, _ = io.WriteString(v.out, b.String())
	}
}

// rowsOf is how many rows of a terminal some lines take. One that was made narrower since
// they were drawn has broken them.
func rowsOf(lines []int, width int) int {
	n := 0
	for _, characters := range lines {
		n += max(1, (characters+width-1)/width)
	}
	return n
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
	v.live.stages = nil
	v.draw("")
}

func (v *ttyView) Finish(ctx context.Context, r *runs.Result) {
	v.Close()
	v.show(ctx, r)
}
