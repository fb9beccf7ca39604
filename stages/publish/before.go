package publish

import (
	"context"
	"encoding/json"
	"errors"
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

// Before returns the last release of a name that came before the first one of
// the given model; of a model that was never published, the newest release. ok
// is false if there is none.
func Before(ctx context.Context, store *storage.Store, name, model string) (r storage.Release, ok bool, err error) {
	releases, err := store.Releases(ctx, name)
	if err != nil {
		return r, false, fmt.Errorf("releases of %s: %w", name, err)
	}
	for _, next := range releases {
		data, err := ReadFile(ctx, store, next.Files, "manifest.json")
		var manifest struct {
			Model string `json:"model"`
		}
		if err == nil {
			err = json.Unmarshal(data, &manifest)
		}
		switch {
		case ctx.Err() != nil:
			return r, false, err
		case err != nil && !errors.Is(err, storage.ErrNotFound) && !errors.Is(err, storage.ErrCorrupt):
			return r, false, fmt.Errorf("release %s@%d: %w", name, next.Version, err)
		case err != nil:
			continue // a broken release is none to compare with
		case manifest.Model == model:
			return r, ok, nil
		}
		r, ok = next, true
	}
	return r, ok, nil
}
