package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

const (
	// flushEvery and flushAt bound what a kill can take from a log.
	flushEvery = time.Second
	flushAt    = 64 << 10
	// backlogLimit caps the lines that wait for a store that does not answer.
	backlogLimit = 4 << 20
)

// chunk appends lines to numbered objects: a store cannot append to one. Lines
// are stored by a goroutine of its own, so that a slow store never holds up the
// work that logs.
type chunk struct {
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

func newChunk(ctx context.Context, s *storage.Store, log *slog.Logger, key func(seq int) string, dropped func(n int) []byte) *chunk {
	c := &chunk{store: s, key: key, log: log, dropped: dropped, wake: make(chan struct{}, 1), stop: make(chan struct{})}
	c.done.Go(func() {
		tick := time.NewTicker(flushEvery)
		defer tick.Stop()
		for {
			select {
			case <-c.stop:
				c.flush(ctx)
				return
			case <-tick.C:
			case <-c.wake:
			}
			c.flush(ctx)
		}
	})
	return c
}

// write takes a line without its end. It never waits for the store.
func (c *chunk) write(line []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buf = append(append(c.buf, line...), '\n')
	for len(c.buf) > backlogLimit {
		i := bytes.IndexByte(c.buf, '\n')
		c.buf = c.buf[i+1:]
		c.skipped++
	}
	if len(c.buf) >= flushAt {
		select {
		case c.wake <- struct{}{}:
		default: // it is awake already
		}
	}
}

// take cuts the next piece, whole lines of about flushAt bytes.
func (c *chunk) take() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.buf)
	if n > flushAt {
		n = flushAt + bytes.IndexByte(c.buf[flushAt:], '\n') + 1
	}
	piece := bytes.Clone(c.buf[:n])
	if c.skipped > 0 {
		piece = append(append(c.dropped(c.skipped), '\n'), piece...)
		c.skipped = 0
	}
	if c.buf = c.buf[n:]; len(c.buf) == 0 {
		c.buf = nil
	}
	return piece
}

// flush stores all that was written until now, or up to the first failure.
func (c *chunk) flush(ctx context.Context) {
	for {
		if len(c.piece) == 0 {
			c.piece = c.take()
		}
		if len(c.piece) == 0 {
			return
		}
		if err := c.store.WriteFile(ctx, c.key(c.seq+1), c.piece); err != nil {
			c.log.Warn("could not store a log", "error", err)
			return
		}
		c.seq++
		c.piece = nil
	}
}

// close stores what is left.
func (c *chunk) close() {
	close(c.stop)
	c.done.Wait()
}

// Logs writes the stored log of one attempt to w, from chunk after on; it
// returns the number of the last chunk, so that a follower can go on.
func Logs(ctx context.Context, s *storage.Store, run, stage string, attempt, after int, w io.Writer) (int, error) {
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
	prefix := runKey(run, "attempts/")
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
