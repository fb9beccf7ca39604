// Package release is the folder that publish makes and others read: the model
// with its taxonomy, thresholds and what is known of it.
//
// A program that is no part of sprint answers with a release by Open (model.go):
//
//	m, err := release.Open(ctx, "swedish-news@champion", release.WithStore("s3://bucket/store"))
//
// open.go brings a release to the local disk by the reference that users give, verify.go
// compares a folder with its manifest, signed.go with its signature, stored.go reads one file of a stored release and
// finds the release that came before a model, calibration.go is the document that says on
// what the thresholds were fitted. Kinds import this package; it imports no kind.
package release

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// maxFile caps the small files of a release.
const maxFile = 16 << 20

// ReadFile reads a small file of a release, a tree of the store, by its path.
func ReadFile(ctx context.Context, store *storage.Store, files []storage.TreeEntry, path string) ([]byte, error) {
	i := slices.IndexFunc(files, func(e storage.TreeEntry) bool { return e.Path == path })
	if i < 0 {
		return nil, fmt.Errorf("release file %s: %w", path, storage.ErrNotFound)
	}
	if files[i].Size > maxFile {
		return nil, fmt.Errorf("release file %s: %d bytes are more than %d", path, files[i].Size, maxFile)
	}
	r, err := store.Get(ctx, files[i].Digest, files[i].Size)
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

// Before returns the last release of a name that came before the first one of
// the given model; of a model that was never published, the newest release. ok
// is false if there is none.
func Before(ctx context.Context, store *storage.Store, name, model string) (r models.Release, ok bool, err error) {
	releases, err := models.In(store).Releases(ctx, name)
	if err != nil {
		return r, false, fmt.Errorf("releases of %s: %w", name, err)
	}
	for _, next := range releases {
		data, err := ReadFile(ctx, store, next.Files, manifestFile)
		var manifest struct {
			Model string `json:"model"`
		}
		if err == nil {
			err = json.Unmarshal(data, &manifest)
		}
		switch {
		case ctx.Err() != nil:
			return r, false, err
		case err != nil && !storage.MissingOrDamaged(err):
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
