package storage

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Audit reads an object to its end and reports whether it is what its key
// promises: the error is ErrCorrupt if not, ErrNotFound if it is gone. known is
// false for objects that nothing in the store vouches for.
func (s *Store) Audit(ctx context.Context, key string) (known bool, err error) {
	parts := strings.Split(key, "/")
	switch parts[0] {
	case "blobs":
		_, err = s.Check(ctx, "sha256:"+parts[len(parts)-1], -1)
	case "manifests":
		return s.auditManifest(ctx, key, parts)
	case "checkpoints":
		_, err = s.checkpointAt(ctx, key)
	case "models":
		return s.auditModel(ctx, key, parts)
	case "leases":
		var body []byte
		if body, _, err = s.Read(ctx, key); err == nil {
			if _, broken := decodeLease(body); broken != nil {
				err = &Error{Op: "read lease", Key: key, Class: ErrCorrupt, Err: broken}
			}
		}
	case "tombstones", "pins", "answers":
		_, _, err = s.Read(ctx, key)
	default:
		return false, nil
	}
	return true, err
}

// auditManifest looks at the newest manifest of a key: those before it decide
// nothing any more.
func (s *Store) auditManifest(ctx context.Context, key string, parts []string) (known bool, err error) {
	if len(parts) != 4 {
		return false, nil
	}
	newest, err := s.Generation(ctx, parts[1], parts[2])
	if err != nil || manifestKey(parts[1], parts[2], newest) != key {
		return false, err
	}
	_, err = s.manifestAt(ctx, key, parts[1], parts[2])
	return true, err
}

// auditModel looks at an object below models/NAME/VERSION or models/NAME/aliases.
func (s *Store) auditModel(ctx context.Context, key string, parts []string) (known bool, err error) {
	if len(parts) < 4 {
		return false, nil
	}
	name := parts[1]
	if parts[2] == "aliases" {
		_, _, err = s.alias(ctx, name, parts[3])
		return true, err
	}
	version, err := strconv.Atoi(parts[2])
	if err != nil {
		return false, nil //nolint:nilerr // a folder that is no version is none of ours
	}
	switch {
	case parts[3] == "claim" && len(parts) == 4:
		_, _, err = s.Read(ctx, key)
		return true, err
	case parts[3] == "release.json" && len(parts) == 4:
		_, _, err = s.releaseAt(ctx, name, version)
		return true, err
	}
	r, _, err := s.releaseAt(ctx, name, version)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrCorrupt) {
		return false, nil // a release in the making, or the fault of its record
	}
	if err != nil {
		return false, err
	}
	for _, e := range r.Files {
		if releaseFileKey(name, version, e.Path) != key {
			continue
		}
		got, n, err := s.Digest(ctx, key)
		if err == nil && got != e.Digest {
			err = &Error{Op: "get", Key: key, Class: ErrCorrupt, Err: fmt.Errorf("its %d bytes have digest %s, want %s", n, got, e.Digest)}
		}
		return true, err
	}
	return false, nil
}
