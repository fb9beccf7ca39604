package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/storage/record"
)

// checkpointRecord commits the files of one step.
type checkpointRecord struct {
	Step  int64       `json:"step"`
	Files []TreeEntry `json:"files"`
}

func checkpointPrefix(kind, key string) string { return "checkpoints/" + kind + "/" + key + "/" }

// stepName is a step in the key of its checkpoint.
func stepName(step int64) string { return fmt.Sprintf("%012d", step) }

// SaveCheckpoint stores the files of folder dir as the checkpoint of a step of
// a key. It returns when the checkpoint is durable; before, none is seen.
func (s *Store) SaveCheckpoint(ctx context.Context, kind, key string, step int64, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	files, err := s.putFiles(ctx, root, dir)
	if err != nil {
		return err
	}
	body, err := json.Marshal(checkpointRecord{Step: step, Files: files})
	if err != nil {
		return err
	}
	for range 3 {
		// Nobody else has this name: what exists there is a write cut short,
		// which restoring passes over.
		err = s.Create(ctx, fmt.Sprintf("%s%s-%s", checkpointPrefix(kind, key), stepName(step), record.NewNonce()[:8]), body)
		if !errors.Is(err, ErrExists) {
			break
		}
	}
	return err
}

// ErrUnusable is wrapped by the error of one who was offered a checkpoint and
// cannot continue from it.
var ErrUnusable = errors.New("cannot be continued from")

// RestoreCheckpoint writes the newest checkpoint whose bytes verify into dir, an
// empty folder, and returns its step. usable, if not nil, is then asked whether
// it can go on from there. Broken ones, and those that usable refuses with
// ErrUnusable, are skipped with a warning; any other error of usable is returned.
// Without any the error is ErrNotFound.
func (s *Store) RestoreCheckpoint(ctx context.Context, kind, key, dir string, log *slog.Logger, usable func(step int64) error) (int64, error) {
	keys, err := s.checkpointKeys(ctx, kind, key)
	if err != nil {
		return 0, err
	}
	for _, k := range slices.Backward(keys) {
		record, err := s.checkpointAt(ctx, k)
		if err == nil {
			err = s.FetchTree(ctx, record.Files, dir)
		}
		if err == nil && usable != nil {
			err = usable(record.Step)
		}
		switch {
		case err == nil:
			return record.Step, nil
		case errors.Is(err, ErrUnusable):
			log.Warn("checkpoint is not used, trying the one before", "key", k, "error", err)
		case MissingOrDamaged(err):
			log.Warn("checkpoint is broken, trying the one before", "key", k, "error", err)
		default:
			return 0, err
		}
		if err := emptyFolder(dir); err != nil {
			return 0, err
		}
	}
	return 0, &Error{Op: "read", Key: checkpointPrefix(kind, key), Class: ErrNotFound}
}

// HasCheckpoint reports whether a key has a checkpoint, whole or not.
func (s *Store) HasCheckpoint(ctx context.Context, kind, key string) (bool, error) {
	keys, err := s.checkpointKeys(ctx, kind, key)
	return len(keys) > 0, err
}

func (s *Store) checkpointKeys(ctx context.Context, kind, key string) ([]string, error) {
	var keys []string
	for info, err := range s.List(ctx, checkpointPrefix(kind, key)) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, info.Key)
	}
	return keys, nil
}

// CheckpointFiles returns the files of the checkpoint whose record is at a key of
// the store.
func (s *Store) CheckpointFiles(ctx context.Context, at string) ([]TreeEntry, error) {
	record, err := s.checkpointAt(ctx, at)
	return record.Files, err
}

func (s *Store) checkpointAt(ctx context.Context, at string) (checkpointRecord, error) {
	record, _, err := ReadAs(ctx, s, "read checkpoint", at, func(body []byte, record *checkpointRecord) error {
		if err := json.Unmarshal(body, record); err != nil {
			return err
		}
		step, _, _ := strings.Cut(path.Base(at), "-")
		if record.Step < 0 || stepName(record.Step) != step {
			return fmt.Errorf("it holds step %d", record.Step)
		}
		return CheckTree(record.Files)
	})
	return record, err
}

func emptyFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
