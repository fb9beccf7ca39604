package train

import (
	"context"
	"fmt"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/speed"
)

// compileKey names programs that take about as long: their shapes matter little.
func (l *loop) compileKey(does string) string {
	return fmt.Sprintf("%s %s %s", l.device, l.compileModel, does)
}

// announceCompile says what is compiled now, and how long that took before, if it did.
func (l *loop) announceCompile(does []string, kept bool) {
	l.missing = true
	left := stages.Progress{Total: int64(len(does)), Unit: "programs", Text: "compiling"}
	text := fmt.Sprintf("compiling %d programs", len(does))
	if len(does) == 1 {
		text = "compiling a program"
	}
	known, seconds := speed.ReadCompileTimes(l.env.CacheDir), 0.0
	for _, d := range does {
		took, ok := known[l.compileKey(d)]
		if !ok {
			seconds = 0
			break
		}
		seconds += took
	}
	if seconds > 0 {
		text += fmt.Sprintf(", about %.0f s", max(seconds, 1))
		left.Left = time.Duration(seconds * float64(time.Second))
	}
	l.env.Progress(left)
	if kept {
		text += ", cached next time"
	}
	l.env.Log.Log(context.Background(), stages.LevelNotable, text) //nolint:sloglint // a sentence for people
}

// keepCompileTimes remembers how long programs took.
func (l *loop) keepCompileTimes() {
	measured := speed.CompileTimes{}
	for does, all := range l.trainer.Compiled {
		var sum time.Duration
		for _, d := range all {
			sum += d
		}
		measured[l.compileKey(does)] = round(sum.Seconds() / float64(len(all)))
	}
	if len(measured) == 0 || l.env.CacheDir == "" {
		return
	}
	if err := measured.Add(l.env.CacheDir); err != nil {
		l.env.Log.Debug("how long programs take to be compiled is not kept", "error", err)
	}
}
