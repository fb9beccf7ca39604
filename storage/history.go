package storage

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
)

// readAhead is how many records a walk over many reads at once: a store far
// away answers each slowly.
const readAhead = 32

// History yields every manifest of the store, of one kind or, with an empty
// kind, of all, each generation, in the order of their keys. Unreadable ones are
// skipped with a warning.
func (s *Store) History(ctx context.Context, kind string) iter.Seq2[Manifest, error] {
	prefix := "manifests/"
	if kind != "" {
		prefix += kind + "/"
	}
	return func(yield func(Manifest, error) bool) {
		var batch []string
		flush := func() bool {
			found := make([]Manifest, len(batch))
			errs := make([]error, len(batch))
			var wg sync.WaitGroup
			for i, at := range batch {
				wg.Go(func() {
					found[i], errs[i] = s.ManifestAt(ctx, at)
				})
			}
			wg.Wait()
			for i, err := range errs {
				if MissingOrDamaged(err) {
					s.Logger().Warn("a manifest cannot be read and is passed over", "key", batch[i], "error", err)
					continue
				}
				if !yield(found[i], err) || err != nil {
					return false
				}
			}
			batch = batch[:0]
			return true
		}
		for info, err := range s.List(ctx, prefix) {
			if err != nil {
				yield(Manifest{}, err)
				return
			}
			if strings.Count(info.Key, "/") != 3 {
				continue
			}
			if batch = append(batch, info.Key); len(batch) == readAhead && !flush() {
				return
			}
		}
		flush()
	}
}

// Checkpoint is the record of a checkpoint.
type Checkpoint struct {
	Info
	Kind, Of string // the kind and the key that it belongs to
	Files    []TreeEntry
}

// Checkpoints yields the checkpoints of all keys, oldest step of a key first.
// One whose record cannot be read has no files.
func (s *Store) Checkpoints(ctx context.Context) iter.Seq2[Checkpoint, error] {
	return func(yield func(Checkpoint, error) bool) {
		for info, err := range s.List(ctx, "checkpoints/") {
			if err != nil {
				yield(Checkpoint{}, err)
				return
			}
			parts := strings.Split(info.Key, "/")
			if len(parts) != 4 {
				continue
			}
			c := Checkpoint{Info: info, Kind: parts[1], Of: parts[2]}
			record, err := s.checkpointAt(ctx, info.Key)
			switch {
			case errors.Is(err, ErrNotFound):
				continue
			case err == nil:
				c.Files = record.Files
			case !errors.Is(err, ErrCorrupt):
				yield(c, err)
				return
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}
