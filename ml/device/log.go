package device

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"k8s.io/klog/v2"
)

// keptLines is how much of GoMLX's log an Error shows.
const keptLines = 20

// logTail is a slog.Handler that keeps the last lines and passes records on at
// debug level. GoMLX logs through klog, which by default writes to stderr in a
// format of its own in the middle of our progress lines.
type logTail struct {
	mu   sync.Mutex
	tail []string
	next *slog.Logger
}

// captureLog points klog, which is one per process, at a new logTail.
func captureLog(next *slog.Logger) *logTail {
	t := &logTail{next: next}
	klog.SetSlogLogger(slog.New(t))
	return t
}

func (t *logTail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.tail...)
}

// Enabled is true: what is kept is decided by keptLines.
func (t *logTail) Enabled(context.Context, slog.Level) bool { return true }

// Handle keeps the message's lines and forwards it.
func (t *logTail) Handle(ctx context.Context, r slog.Record) error {
	t.mu.Lock()
	for line := range strings.Lines(r.Message) {
		t.tail = append(t.tail, strings.TrimRight(line, "\n"))
	}
	if n := len(t.tail) - keptLines; n > 0 {
		t.tail = append(t.tail[:0], t.tail[n:]...)
	}
	t.mu.Unlock()
	if t.next != nil {
		t.next.DebugContext(ctx, "gomlx", slog.String("text", strings.TrimSpace(r.Message)))
	}
	return nil
}

// WithAttrs drops attributes; klog's lines carry all in the message.
func (t *logTail) WithAttrs([]slog.Attr) slog.Handler { return t }

// WithGroup drops groups, as WithAttrs.
func (t *logTail) WithGroup(string) slog.Handler { return t }
