package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/sprint-ml/sprint/storage"
)

// Publish publishes a tree as the next version of a name and returns the
// version. The same tree keeps the version it has. Versions are claimed by an
// exclusive create and become visible by their release.json, written last; a
// claim left by a crash is completed by the next publish of the same tree and
// skipped by any other. What of a release cannot be verified any more, its
// record, its claim or the copies of its files, the next publish of the same
// tree makes anew: one that can be verified is never replaced.
func (r Registry) Publish(ctx context.Context, name string, tree storage.Artifact, meta []byte) (Release, error) {
	if !ValidName(name) {
		return Release{}, fmt.Errorf("storage: %q is no model name: use a-z, 0-9, dot, dash and underscore", name)
	}
	entries, err := r.store.Tree(ctx, tree.Digest)
	if err != nil {
		return Release{}, err
	}
	version, err := r.claim(ctx, name, tree.Digest)
	if err != nil {
		return Release{}, err
	}
	for _, e := range entries {
		if err := r.copyFile(ctx, FileKey(name, version, e.Path), e); err != nil {
			return Release{}, err
		}
	}
	return r.writeRecord(ctx, Release{Name: name, Version: version, Digest: tree.Digest, Files: entries, Meta: meta})
}

// claim returns the version of a name that is a tree's, the next one if none is.
func (r Registry) claim(ctx context.Context, name, digest string) (int, error) {
	owners, err := r.owners(ctx, name)
	if err != nil {
		return 0, err
	}
	version, last := 0, 0
	for v, owner := range owners {
		if last = max(last, v); owner == digest && (version == 0 || v < version) {
			version = v
		}
	}
	if version > 0 {
		return version, r.repairClaim(ctx, name, version, digest)
	}
	for version = last + 1; ; version++ {
		if err := storage.CheckNumber("the version of a model", releaseFolder(name, version), version); err != nil {
			return 0, err
		}
		if taken, err := r.claimVersion(ctx, name, version, digest); err != nil || taken {
			return version, err
		}
	}
}

// claimVersion claims a version for a tree, or finds it claimed for that tree or not to
// be had. A claim cut short, of a release that nobody ever saw, is replaced.
func (r Registry) claimVersion(ctx context.Context, name string, version int, digest string) (bool, error) {
	key := releaseFolder(name, version) + "claim"
	for range 20 {
		err := r.store.Create(ctx, key, []byte(digest))
		if err == nil || !errors.Is(err, storage.ErrExists) {
			return err == nil, err
		}
		there, at, err := r.store.Read(ctx, key)
		if err == nil {
			return string(there) == digest, nil
		}
		if !errors.Is(err, storage.ErrCorrupt) || at == "" {
			return false, err
		}
		if _, _, err := r.releaseAt(ctx, name, version); !errors.Is(err, storage.ErrNotFound) {
			if err == nil || errors.Is(err, storage.ErrCorrupt) {
				return false, nil
			}
			return false, err
		}
		if _, err := r.store.Swap(ctx, key, at, []byte(digest)); !errors.Is(err, storage.ErrStale) {
			return err == nil, err
		}
	}
	return false, &storage.Error{Op: "claim", Key: key, Class: storage.ErrTransient}
}

// repairClaim replaces the claim of a version that is a tree's by its release, if
// the claim itself cannot be read.
func (r Registry) repairClaim(ctx context.Context, name string, version int, digest string) error {
	key := releaseFolder(name, version) + "claim"
	_, at, err := r.store.Read(ctx, key)
	if err == nil || !storage.MissingOrDamaged(err) {
		return err
	}
	if _, err = r.store.Swap(ctx, key, at, []byte(digest)); errors.Is(err, storage.ErrStale) {
		return nil // another publisher of the tree was faster
	}
	return err
}

// writeRecord writes the record of a release unless a good one is there, which it
// returns. One that lists other files than the tree is not good.
func (r Registry) writeRecord(ctx context.Context, made Release) (Release, error) {
	body, err := json.MarshalIndent(made, "", " ")
	if err != nil {
		return Release{}, err
	}
	key := releaseFolder(made.Name, made.Version) + "release.json"
	for range 20 {
		there, at, err := r.releaseAt(ctx, made.Name, made.Version)
		switch {
		case err == nil && there.Digest != made.Digest:
			return Release{}, &storage.Error{Op: "publish", Key: key, Class: storage.ErrCorrupt, Err: fmt.Errorf("the version was claimed for %s and holds the release of %s", made.Digest, there.Digest)}
		case err == nil && slices.Equal(there.Files, made.Files):
			return there, nil
		case err == nil:
			r.store.Logger().Warn("record of a release lists other files than its tree and is written anew", "model", made.Name, "version", made.Version)
		case errors.Is(err, storage.ErrCorrupt) && at != "":
			r.store.Logger().Warn("record of a release is broken and is written anew", "model", made.Name, "version", made.Version, "error", err)
		case !errors.Is(err, storage.ErrNotFound):
			return Release{}, err
		}
		if _, err = r.store.Swap(ctx, key, at, body); !errors.Is(err, storage.ErrStale) {
			return made, err
		}
	}
	return Release{}, &storage.Error{Op: "publish", Key: key, Class: storage.ErrTransient}
}

// copyFile puts a file of a release under a second key, unless it is there.
func (r Registry) copyFile(ctx context.Context, key string, e storage.TreeEntry) error {
	from, err := storage.BlobKey(e.Digest)
	if err != nil {
		return err
	}
	there, _, err := r.store.Digest(ctx, key)
	if err == nil && there == e.Digest {
		return nil
	}
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	return r.store.Copy(ctx, key, from, e.Size)
}

// owners returns of every taken version of a name the digest of its tree: that
// of its release, or while there is none that can be read, that of its claim.
// It is empty if neither can be: the number is taken, by whom nobody knows. A
// version without a release whose claim cannot be read is not taken.
func (r Registry) owners(ctx context.Context, name string) (map[int]string, error) {
	versions, err := r.versions(ctx, name)
	if err != nil {
		return nil, err
	}
	owners := map[int]string{}
	for _, v := range versions {
		there, _, broken := r.releaseAt(ctx, name, v)
		if broken == nil {
			owners[v] = there.Digest
			continue
		}
		if !storage.MissingOrDamaged(broken) {
			return nil, broken
		}
		body, _, err := r.store.Read(ctx, releaseFolder(name, v)+"claim")
		switch {
		case err == nil:
			owners[v] = string(body)
		case !storage.MissingOrDamaged(err):
			return nil, err
		case errors.Is(broken, storage.ErrCorrupt):
			r.store.Logger().Warn("a release and its claim are broken, its version is passed over", "model", name, "version", v, "error", broken)
			owners[v] = ""
		}
	}
	return owners, nil
}
