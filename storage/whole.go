package storage

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Whole checks that an artifact is in the store with its size, and so are all
// files of a tree. Bytes are not read, but for a tree's listing. The error is
// ErrNotFound or ErrCorrupt, and path the file of the tree that it is about.
func (s *Store) Whole(ctx context.Context, a Artifact) (path string, err error) {
	if err := s.wholeBlob(ctx, a.Digest, a.Size); err != nil || a.Media != MediaTree {
		return "", err
	}
	entries, err := s.Tree(ctx, a.Digest)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	work := make(chan TreeEntry)
	var wg sync.WaitGroup
	for range min(readAhead, len(entries)) {
		wg.Go(func() {
			for e := range work {
				if bad := s.wholeBlob(ctx, e.Digest, e.Size); bad != nil {
					mu.Lock()
					if err == nil || errors.Is(err, context.Canceled) {
						path, err = e.Path, bad
					}
					mu.Unlock()
					cancel()
				}
			}
		})
	}
	for _, e := range entries {
		work <- e
	}
	close(work)
	wg.Wait()
	return path, err
}

func (s *Store) wholeBlob(ctx context.Context, digest string, size int64) error {
	got, err := s.Has(ctx, digest)
	if err == nil && got != size {
		key, _ := BlobKey(digest) // Has accepted it
		err = &Error{Op: "stat", Key: key, Class: ErrCorrupt, Err: fmt.Errorf("it has %d bytes, not %d", got, size)}
	}
	return err
}
