package jobs

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// NewRunID names a run: sortable by time, unique.
func NewRunID(now time.Time) string {
	var r [3]byte
	_, _ = rand.Read(r[:]) // never fails since Go 1.24
	return now.UTC().Format("20060102-150405") + "-" + hex.EncodeToString(r[:])
}

// RunTime is the time at which a run was named; zero if the name tells none.
func RunTime(run string) time.Time {
	stamp, _, _ := strings.Cut(run[max(0, strings.IndexByte(run, '-'))+1:], "-")
	day, _, _ := strings.Cut(run, "-")
	t, err := time.Parse("20060102-150405", day+"-"+stamp)
	if err != nil {
		return time.Time{}
	}
	return t
}

// Record is the stored end of a run.
type Record struct {
	Result
	Plan     string    `json:"plan"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	Version  string    `json:"version,omitempty"`
	Command  string    `json:"command,omitempty"`
	Args     []string  `json:"args,omitempty"` // of the command, without the program
}

func runKey(run, name string) string { return "runs/" + run + "/" + name }

// saveRecord stores a run's end where outside programs may read it.
func saveRecord(ctx context.Context, s *storage.Store, r Record) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return s.WriteFile(ctx, runKey(*r.Run, "result.json"), append(b, '\n'))
}

// LoadRecord reads the end of a run. ErrNotFound means that the run has none
// (yet), or does not exist.
func LoadRecord(ctx context.Context, s *storage.Store, run string) (Record, error) {
	var r Record
	b, err := s.ReadFile(ctx, runKey(run, "result.json"), 16<<20)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, &storage.Error{Op: "read run", Key: run, Class: storage.ErrCorrupt, Err: err}
	}
	return r, nil
}

// Runs lists the ids of the newest runs, newest first, at most limit.
func Runs(ctx context.Context, s *storage.Store, limit int) ([]string, error) {
	var ids []string
	for id, err := range s.Folders(ctx, "runs/") {
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	slices.Reverse(ids)
	return ids[:min(limit, len(ids))], nil
}

// RunPlan returns the plan that a run saved.
func RunPlan(ctx context.Context, s *storage.Store, run string) ([]byte, error) {
	return s.ReadFile(ctx, runKey(run, "plan.yaml"), 1<<20)
}

// chunk appends lines to numbered objects: a store cannot append to one.
type chunk struct {
	store *storage.Store
	key   func(seq int) string
	log   *slog.Logger

	mu   sync.Mutex
	buf  bytes.Buffer
	seq  int
	stop chan struct{}
	done sync.WaitGroup
}

// flushEvery bounds how much of a log a crash of the machine can lose.
const flushEvery = 3 * time.Second

func newChunk(ctx context.Context, s *storage.Store, log *slog.Logger, key func(seq int) string) *chunk {
	c := &chunk{store: s, key: key, log: log, stop: make(chan struct{})}
	c.done.Go(func() {
		tick := time.NewTicker(flushEvery)
		defer tick.Stop()
		for {
			select {
			case <-c.stop:
				return
			case <-tick.C:
				c.flush(ctx)
			}
		}
	})
	return c
}

func (c *chunk) write(line []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buf.Write(line)
	c.buf.WriteByte('\n')
}

func (c *chunk) flush(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.buf.Len() == 0 {
		return
	}
	c.seq++
	if err := c.store.WriteFile(ctx, c.key(c.seq), bytes.Clone(c.buf.Bytes())); err != nil {
		c.seq-- // readers stop at the first number that is not there
		c.log.Warn("could not store a log", "error", err)
		return
	}
	c.buf.Reset()
}

func (c *chunk) close(ctx context.Context) {
	close(c.stop)
	c.done.Wait()
	c.flush(ctx)
}

// Logs writes the stored log of one attempt to w, from chunk after on; it
// returns the number of the last chunk, so that a follower can go on.
func Logs(ctx context.Context, s *storage.Store, run, stage string, attempt, after int, w interface{ Write([]byte) (int, error) }) (int, error) {
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
		if _, err := fmt.Sscanf(file, "%d.json", &n); err == nil {
			out[stage] = max(out[stage], n)
		}
	}
	return out, nil
}
