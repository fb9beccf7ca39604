// Package release is the folder that publish makes and others read: the model
// with its taxonomy, thresholds and what is known of it.
//
// open.go brings a release to the local disk by the reference that users give,
// file.go reads one file of a stored release, before.go finds the release that
// came before a model, calibration.go is the document that says on what the
// thresholds were fitted. Kinds import this package; it imports no kind.
package release

import (
	"context"
	"fmt"
	"io"

	"github.com/sprint-ml/sprint/storage"
)

// maxFile caps the small files of a release.
const maxFile = 16 << 20

// ReadFile reads a small file of a release, a tree of the store, by its path.
func ReadFile(ctx context.Context, store *storage.Store, files []storage.TreeEntry, path string) ([]byte, error) {
	for _, e := range files {
		if e.Path != path {
			continue
		}
		if e.Size > maxFile {
			return nil, fmt.Errorf("release file %s: %d bytes are more than %d", path, e.Size, maxFile)
		}
		r, err := store.Get(ctx, e.Digest, e.Size)
		if err != nil {
			return nil, fmt.Errorf("release file %s: %w", path, err)
		}
		defer r.Close()
		data, err := io.ReadAll(r)
		if err != nil {
			return nil, fmt.Errorf("release file %s: %w", path, err)
		}
		return data, nil
	}
	return nil, fmt.Errorf("release file %s: %w", path, storage.ErrNotFound)
}
