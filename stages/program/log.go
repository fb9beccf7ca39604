package program

import "log/slog"

const (
	// maxLog is how many bytes of a stream are logged as they come: a program that prints for
	// ever must not fill the store.
	maxLog = 16 << 20
	// lastLines is how many lines are logged of what is beyond it: those that say how it ended.
	lastLines = 100
)

// lineLog logs the lines of a stream, as far as there is room.
type lineLog struct {
	log    *slog.Logger
	stream string
	room   int      // bytes
	last   []string // a ring of those for which there was none
	beyond int      // how many there were
}

// line logs a line, or keeps it for the end.
func (l *lineLog) line(text string) {
	if l.beyond == 0 && len(text) <= l.room {
		l.room -= len(text)
		l.write(text)
		return
	}
	if l.beyond == 0 {
		l.log.Warn("the log is full: of what follows, the last lines are logged when the program has ended", slog.String("stream", l.stream), slog.Int("lines", lastLines))
	}
	if len(l.last) < lastLines {
		l.last = append(l.last, text)
	} else {
		l.last[l.beyond%lastLines] = text
	}
	l.beyond++
}

// end logs the last lines.
func (l *lineLog) end() {
	if left := l.beyond - len(l.last); left > 0 {
		l.log.Warn("lines are left out here", slog.String("stream", l.stream), slog.Int("lines", left))
	}
	for i := range l.last {
		l.write(l.last[(l.beyond+i)%len(l.last)])
	}
}

func (l *lineLog) write(text string) {
	l.log.Info("output", slog.String("stream", l.stream), slog.String("line", text))
}
