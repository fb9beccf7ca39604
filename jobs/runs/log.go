package runs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// CopyLog writes the stored log of one attempt to w, from chunk after on; it
// returns the number of the last chunk, so that a follower can go on.
func CopyLog(ctx context.Context, s *storage.Store, run, stage string, attempt, after int, w io.Writer) (int, error) {
	return copyPieces(ctx, s, func(seq int) string { return logKey(run, stage, attempt, seq) }, after, w)
}

// copyPieces writes the numbered objects of a logWriter to w, from the one after on.
func copyPieces(ctx context.Context, s *storage.Store, key func(seq int) string, after int, w io.Writer) (int, error) {
	for seq := after + 1; ; seq++ {
		b, err := s.ReadFile(ctx, key(seq), 64<<20)
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

// Log is the log of an attempt that is being written.
type Log struct{ *logWriter }

// OpenLog begins the log of an attempt. Close it; ctx must outlive it. What the
// store does not take is told to log.
func OpenLog(ctx context.Context, s *storage.Store, log *slog.Logger, run, stage string, attempt int) *Log {
	return &Log{newLogWriter(ctx, s, log,
		func(seq int) string { return logKey(run, stage, attempt, seq) },
		func(n int) []byte { return logLine(slog.LevelWarn, droppedText(n)) })}
}

// Write appends a line with its time. It never waits for the store.
func (l *Log) Write(level slog.Level, text string) { l.write(logLine(level, text)) }

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
	return fmt.Sprintf("%d lines are missing here: the store could not be reached, or they came faster than it takes them", n)
}

const (
	// flushEvery and flushAt bound what a kill can take from a log.
	flushEvery = time.Second
	flushAt    = 64 << 10
	// backlogLimit caps the lines that wait for a store that does not answer.
	backlogLimit = 4 << 20
)

// logWriter appends lines to numbered objects: a store cannot append to one. Lines
// are stored by a goroutine of its own, so that a slow store never holds up the
// work that logs.
type logWriter struct {
	store *storage.Store
	key   func(seq int) string
	log   *slog.Logger
	// dropped makes the line that stands for n lost ones.
	dropped func(n int) []byte

	mu      sync.Mutex
	buf     []byte
	skipped int

	wake chan struct{}
	stop chan struct{}
	done sync.WaitGroup

	// Of the goroutine alone: what is being stored, and how far it got. A
	// piece keeps its number and bytes until it is stored: its reader may have
	// seen it although the reply was lost.
	piece []byte
	seq   int
}

func newLogWriter(ctx context.Context, s *storage.Store, log *slog.Logger, key func(seq int) string, dropped func(n int) []byte) *logWriter {
	return startLogWriter(ctx, s, log, 0, key, dropped)
}

// startLogWriter is newLogWriter after the piece of that number.
func startLogWriter(ctx context.Context, s *storage.Store, log *slog.Logger, last int, key func(seq int) string, dropped func(n int) []byte) *logWriter {
	w := &logWriter{store: s, key: key, log: log, dropped: dropped, seq: last, wake: make(chan struct{}, 1), stop: make(chan struct{})}
	w.done.Go(func() {
		tick := time.NewTicker(flushEvery)
		defer tick.Stop()
		for stopped := false; !stopped; {
			select {
			case <-w.stop:
			case <-tick.C:
			case <-w.wake:
			}
			// After a long flush more than one may be ready. One more flush is then
			// enough: a second would make the end wait for a store that fails.
			select {
			case <-w.stop:
				stopped = true
			default:
			}
			w.flush(ctx)
		}
	})
	return w
}

// write takes a line without its end. It never waits for the store.
func (w *logWriter) write(line []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = append(append(w.buf, line...), '\n')
	for len(w.buf) > backlogLimit {
		i := bytes.IndexByte(w.buf, '\n')
		w.buf = w.buf[i+1:]
		w.skipped++
	}
	if len(w.buf) >= flushAt {
		select {
		case w.wake <- struct{}{}:
		default: // it is awake already
		}
	}
}

// take cuts the next piece, whole lines of about flushAt bytes.
func (w *logWriter) take() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.buf)
	if n > flushAt {
		n = flushAt + bytes.IndexByte(w.buf[flushAt:], '\n') + 1
	}
	piece := bytes.Clone(w.buf[:n])
	if w.skipped > 0 {
		piece = append(append(w.dropped(w.skipped), '\n'), piece...)
		w.skipped = 0
	}
	if w.buf = w.buf[n:]; len(w.buf) == 0 {
		w.buf = nil
	}
	return piece
}

// flush stores all that was written until now, or up to the first failure.
func (w *logWriter) flush(ctx context.Context) {
	for {
		if len(w.piece) == 0 {
			w.piece = w.take()
		}
		if len(w.piece) == 0 {
			return
		}
		if err := w.store.WriteFile(ctx, w.key(w.seq+1), w.piece); err != nil {
			w.log.Warn("could not store a log", "error", err)
			return
		}
		w.seq++
		w.piece = nil
	}
}

// Close stores what is left.
func (w *logWriter) Close() {
	close(w.stop)
	w.done.Wait()
}
