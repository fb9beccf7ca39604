// Package check says what of a store is missing or damaged. It changes nothing;
// readers mark a damaged blob by themselves, and the next writer of the blob
// replaces it.
package check

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// Object reads an object to its end and reports whether it is what its key
// promises: the error is ErrCorrupt if not, ErrNotFound if it is gone. known is
// false for objects that nothing in the store vouches for.
func Object(ctx context.Context, s *storage.Store, key string) (known bool, err error) {
	parts := strings.Split(key, "/")
	switch parts[0] {
	case "blobs":
		_, err = s.Verify(ctx, "sha256:"+parts[len(parts)-1], -1)
	case "manifests":
		return manifest(ctx, s, key, parts)
	case "checkpoints":
		_, err = s.CheckpointFiles(ctx, key)
	case "models":
		return model(ctx, s, key, parts)
	case "leases":
		var l storage.LeaseState
		if l, err = s.Lease(ctx, strings.TrimPrefix(key, "leases/")); err == nil {
			err = l.Err
		}
	case "tombstones", "pins", "answers":
		_, _, err = s.Read(ctx, key)
	default:
		return false, nil
	}
	return true, err
}

// manifest checks the newest manifest of a key: those before it decide nothing
// any more.
func manifest(ctx context.Context, s *storage.Store, key string, parts []string) (known bool, err error) {
	if len(parts) != 4 {
		return false, nil
	}
	newest, err := s.Generation(ctx, parts[1], parts[2])
	if err != nil || storage.ManifestKey(parts[1], parts[2], newest) != key {
		return false, err
	}
	_, err = s.ManifestAt(ctx, key)
	return true, err
}

// model checks an object below models/NAME/VERSION or models/NAME/aliases.
func model(ctx context.Context, s *storage.Store, key string, parts []string) (known bool, err error) {
	if len(parts) < 4 {
		return false, nil
	}
	name, registry := parts[1], models.In(s)
	if parts[2] == "aliases" {
		_, err = registry.Alias(ctx, name, parts[3])
		return true, err
	}
	version, err := strconv.Atoi(parts[2])
	if err != nil {
		return false, nil //nolint:nilerr // a folder that is no version belongs to no release
	}
	if parts[3] == "claim" && len(parts) == 4 {
		_, _, err = s.Read(ctx, key)
		return true, err
	}
	r, err := registry.ReleaseAt(ctx, name, version)
	if parts[3] == "release.json" && len(parts) == 4 {
		return true, err
	}
	if storage.MissingOrDamaged(err) {
		return false, nil // a release in the making, or the fault of its record
	}
	if err != nil {
		return false, err
	}
	for _, e := range r.Files {
		if models.FileKey(name, version, e.Path) != key {
			continue
		}
		got, n, err := s.Digest(ctx, key)
		if err == nil && got != e.Digest {
			err = &storage.Error{Op: "get", Key: key, Class: storage.ErrCorrupt, Err: fmt.Errorf("its %d bytes have digest %s, want %s", n, got, e.Digest)}
		}
		return true, err
	}
	return false, nil
}
