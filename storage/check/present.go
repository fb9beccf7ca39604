// Package check says of an artifact whether it is in the store. It changes nothing.
package check

import (
	"context"
	"fmt"
	"sync"

	"github.com/sprint-ml/sprint/storage"
	"golang.org/x/sync/errgroup"
)

// parallel is how many blobs of a tree are asked for at once: a store far away
// answers each slowly.
const parallel = 32

// Present checks that an artifact is in the store with its size, and so are all
// files of a tree. Bytes are not read, but for a tree's listing. The error is
// ErrNotFound or storage.ErrCorrupt, and path the file of the tree that it is about.
func Present(ctx context.Context, s *storage.Store, a storage.Artifact) (path string, err error) {
	if err := presentBlob(ctx, s, a.Digest, a.Size); err != nil || a.Media != storage.MediaTree {
		return "", err
	}
	entries, err := s.Tree(ctx, a.Digest)
	if err != nil {
		return "", err
	}
	group, asking := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	var first sync.Once
	for _, e := range entries {
		group.Go(func() error {
			bad := presentBlob(asking, s, e.Digest, e.Size)
			if bad != nil {
				first.Do(func() { path, err = e.Path, bad })
			}
			return bad
		})
	}
	_ = group.Wait() // err is the first one, beside its path
	return path, err
}

func presentBlob(ctx context.Context, s *storage.Store, digest string, size int64) error {
	got, err := s.Has(ctx, digest)
	if err == nil && got != size {
		key, _ := storage.BlobKey(digest) // Has accepted it
		err = &storage.Error{Op: "stat", Key: key, Class: storage.ErrCorrupt, Err: fmt.Errorf("it has %d bytes, not %d", got, size)}
	}
	return err
}
