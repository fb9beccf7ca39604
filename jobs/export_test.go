package jobs

import (
	"context"
	"log/slog"

	"github.com/sprint-ml/sprint/storage"
)

// Log is the log of one attempt, for tests.
type Log struct{ c *chunk }

// NewLog begins the log of the first attempt of a stage.
func NewLog(ctx context.Context, s *storage.Store, run, stage string) Log {
	return Log{newChunk(ctx, s, slog.New(slog.DiscardHandler), func(seq int) string { return logKey(run, stage, 1, seq) }, func(n int) []byte { return []byte(droppedText(n)) })}
}

func (l Log) Write(line string) { l.c.write([]byte(line)) }

func (l Log) Close() { l.c.close() }

// The scratch folders of attempts.
var (
	NewScratch   = newScratch
	SweepScratch = sweepScratch
)
