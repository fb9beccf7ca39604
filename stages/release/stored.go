// Package release is the folder that publish makes and others read: the model
// with its taxonomy, thresholds and what is known of it.
//
// A program that is no part of sprint answers with a release by Open (model.go):
//
//	m, err := release.Open(ctx, "swedish-news@champion", release.WithStore("s3://bucket/store"))
//
// reference.go finds what a reference names, open.go brings it to the local disk, verify.go
// compares a folder with its manifest, whole.go refuses a model that has lost a file, signed.go with its signature, which sign.go makes,
// stored.go reads one file of a stored release and finds the release that came before a
// model, backend.go says what computes answers, calibration.go is the document that says on
// what the thresholds were fitted. Kinds import this package; it imports no kind.
package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/sprint-ml/sprint/stages"
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
	data, err := store.ReadBlob(ctx, files[i].Digest, files[i].Size, maxFile)
	if err != nil {
		return nil, fmt.Errorf("release file %s: %w", path, err)
	}
	return data, nil
}

// Before returns the last release of a name that came before the first one of
// the given model; of a model that was never published, the newest release. ok
// is false if there is none. One that is damaged, or that nobody trusted signed, is none to
// compare with.
func Before(ctx context.Context, kept stages.Kept, name, model string) (r models.Release, ok bool, err error) {
	releases, err := models.In(kept.Store).Releases(ctx, name)
	if err != nil {
		return r, false, fmt.Errorf("releases of %s: %w", name, err)
	}
	earlier, err := before(ctx, kept.Store, releases, model)
	if err != nil {
		return r, false, err
	}
	for _, r := range slices.Backward(earlier) {
		err := Trusted(ctx, kept, r, nil)
		if err == nil {
			return r, true, nil
		}
		if f, ok := errors.AsType[*stages.Failure](err); (!ok || f.Code != stages.CodeIntegrity) && !storage.MissingOrDamaged(err) {
			return r, false, err
		}
	}
	return r, false, nil
}

// before are the whole ones of some releases that came before the first one of a model.
func before(ctx context.Context, store *storage.Store, releases []models.Release, model string) (out []models.Release, err error) {
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
			return nil, err
		case err != nil && !storage.MissingOrDamaged(err):
			return nil, fmt.Errorf("release %s@%d: %w", next.Name, next.Version, err)
		case err != nil:
			continue
		case manifest.Model == model:
			return out, nil
		}
		out = append(out, next)
	}
	return out, nil
}
