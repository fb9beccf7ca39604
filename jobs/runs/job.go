package runs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// Job says which attempt does the work of a key on another machine, so that a runner
// which comes after the death of another follows what runs and starts nothing twice.
type Job struct {
	Run     string `json:"run"`
	Stage   string `json:"stage"`
	Attempt int    `json:"attempt"`
	Digest  string `json:"digest"` // of the attempt's record
	// Executor is the name that the config gives the place.
	Executor string `json:"executor"`
	// Since is when a machine was first given to it, by the clock of its runner; zero before,
	// and where nobody asks for money.
	Since time.Time `json:"since,omitzero"`
	// Over says that nothing of it runs there any more.
	Over bool `json:"over,omitempty"`
}

func jobKey(kind, key string) string { return "jobs/" + kind + "/" + key }

// LoadJob reads which job does the work of a key, and the version of that record;
// storage.ErrNotFound if none was ever begun.
func LoadJob(ctx context.Context, s *storage.Store, kind, key string) (j Job, version string, err error) {
	body, version, err := s.Read(ctx, jobKey(kind, key))
	if err != nil {
		return j, "", err
	}
	if err = json.Unmarshal(body, &j); err != nil {
		err = &storage.Error{Op: "read job", Key: jobKey(kind, key), Class: storage.ErrCorrupt, Err: err}
	}
	return j, version, err
}

// SaveJob records it in the place of whatever is there: the caller holds the lease of
// the key.
func SaveJob(ctx context.Context, s *storage.Store, kind, key string, j Job) error {
	return swapJSON(ctx, s, jobKey(kind, key), j)
}

// swapJSON stores the JSON of a value in the place of whatever is there.
func swapJSON(ctx context.Context, s *storage.Store, key string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%s cannot be stored as JSON: %w", key, err)
	}
	for range 5 {
		var version string
		if _, version, err = s.Read(ctx, key); err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		if _, err = s.Swap(ctx, key, version, body); !errors.Is(err, storage.ErrStale) {
			return err
		}
	}
	return err
}

func messageKey(run, stage string, attempt, seq int) string {
	return fmt.Sprintf("runs/%s/workers/%s/%d/%06d", run, stage, attempt, seq)
}

// Messages is what a worker elsewhere says, a line each, as it is being stored.
type Messages struct{ *logWriter }

// OpenMessages goes on after the last piece that a worker of the attempt has stored: it
// may have been started again. Close it; ctx must outlive it. dropped is the line that
// stands for n which the store did not take in time.
func OpenMessages(ctx context.Context, s *storage.Store, log *slog.Logger, run, stage string, attempt int, dropped func(n int) []byte) (*Messages, error) {
	last, err := CopyMessages(ctx, s, run, stage, attempt, 0, io.Discard)
	if err != nil {
		return nil, err
	}
	w := startLogWriter(ctx, s, log, last, func(seq int) string { return messageKey(run, stage, attempt, seq) }, dropped)
	return &Messages{w}, nil
}

// Write appends a line. It never waits for the store.
func (m *Messages) Write(line []byte) { m.write(line) }

// CopyMessages writes what a worker said to w, from piece after on; it returns the
// number of the last piece.
func CopyMessages(ctx context.Context, s *storage.Store, run, stage string, attempt, after int, w io.Writer) (int, error) {
	return copyPieces(ctx, s, func(seq int) string { return messageKey(run, stage, attempt, seq) }, after, w)
}

func endKey(run, stage string, attempt int) string {
	return fmt.Sprintf("runs/%s/ends/%s/%d.json", run, stage, attempt)
}

// SaveEnd records the last word of an attempt's worker elsewhere, once. The error is
// storage.ErrExists if there is one.
func SaveEnd(ctx context.Context, s *storage.Store, run, stage string, attempt int, word []byte) error {
	return s.Create(ctx, endKey(run, stage, attempt), word)
}

// LoadEnd reads it; storage.ErrNotFound while there is none.
func LoadEnd(ctx context.Context, s *storage.Store, run, stage string, attempt int) ([]byte, error) {
	body, _, err := s.Read(ctx, endKey(run, stage, attempt))
	return body, err
}
