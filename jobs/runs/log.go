package runs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// CopyLog writes the stored log of one attempt to w, from chunk after on; it
// returns the number of the last chunk, so that a follower can go on.
func CopyLog(ctx context.Context, s *storage.Store, run, stage string, attempt, after int, w io.Writer) (int, error) {
	for seq := after + 1; ; seq++ {
		b, err := s.ReadFile(ctx, logKey(run, stage, attempt, seq), 64<<20)
		if errors.Is(err, storage.ErrNotFound) {
			return seq - 1, nil
		}
		if err != nil {
			return seq - 1, err
		}
		if _, err := w.Write(b); err != nil {
			return seq, err
		}
	}
}

func logKey(run, stage string, attempt, seq int) string {
	return fmt.Sprintf("runs/%s/logs/%s/%d/%06d", run, stage, attempt, seq)
}

// Attempts lists the stages of a run that were tried, with the number of tries.
func Attempts(ctx context.Context, s *storage.Store, run string) (map[string]int, error) {
	prefix := Key(run, "attempts/")
	out := map[string]int{}
	for info, err := range s.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		stage, file, _ := strings.Cut(strings.TrimPrefix(info.Key, prefix), "/")
		var n int
		if _, err := fmt.Sscanf(file, "%d.json", &n); err == nil && n > 0 { // 0 is the preflight
			out[stage] = max(out[stage], n)
		}
	}
	return out, nil
}

// Log is the log of an attempt that is being written.
type Log struct{ lines *logWriter }

// OpenLog begins the log of an attempt. Close it; ctx must outlive it. What the
// store does not take is told to log.
func OpenLog(ctx context.Context, s *storage.Store, log *slog.Logger, run, stage string, attempt int) *Log {
	return &Log{newLogWriter(ctx, s, log,
		func(seq int) string { return logKey(run, stage, attempt, seq) },
		func(n int) []byte { return logLine(slog.LevelWarn, droppedText(n)) })}
}

// Write appends a line with its time. It never waits for the store.
func (l *Log) Write(level slog.Level, text string) { l.lines.write(logLine(level, text)) }

// Close stores what is left.
func (l *Log) Close() { l.lines.close() }

func logLine(level slog.Level, text string) []byte {
	return fmt.Appendf(nil, "%s %-5s %s", time.Now().UTC().Format(time.RFC3339), LevelName(level), text)
}

// LevelName is the name of a level in logs and events.
func LevelName(level slog.Level) string {
	if level == stages.LevelNotable {
		return slog.LevelInfo.String()
	}
	return level.String()
}

func droppedText(n int) string {
	return fmt.Sprintf("%d lines are missing here: the store could not be reached", n)
}
