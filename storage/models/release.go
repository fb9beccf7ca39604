package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// Release is a published model: an immutable version of a name.
type Release struct {
	Name    string              `json:"name"`
	Version int                 `json:"version"`
	Digest  string              `json:"digest"` // of the release's tree
	Files   []storage.TreeEntry `json:"files"`
	// Meta is what the publisher recorded: run, date, device.
	Meta json.RawMessage `json:"meta,omitempty"`
}

// Facts are the Meta of a Release: what is not the same if the same files are made again.
type Facts struct {
	Attempt int       `json:"attempt"`
	Date    time.Time `json:"date"`
	// Provenance is a signed statement of the run, a bundle of package signature.
	Provenance json.RawMessage `json:"provenance,omitempty"`
	Run        string          `json:"run"`
	Stage      string          `json:"stage"`
}

// Facts reads what the publisher recorded; nothing if it is of another form, and no run that
// cannot be one: programs and people are told of it as of a name.
func (r *Release) Facts() (f Facts) {
	if json.Unmarshal(r.Meta, &f) != nil {
		return Facts{}
	}
	if strings.Contains(f.Run, "/") || !storage.ValidKey(f.Run) {
		f.Run = ""
	}
	return f
}

// releaseAt reads the record of a release. A corrupt one has a version as well,
// so that a Swap can replace it.
func (r Registry) releaseAt(ctx context.Context, name string, version int) (Release, string, error) {
	key := releaseFolder(name, version) + "release.json"
	return storage.ReadAs(ctx, r.store, "read release", key, func(body []byte, there *Release) error {
		err := json.Unmarshal(body, there)
		if err == nil {
			err = storage.CheckTree(there.Files)
		}
		for _, e := range there.Files {
			if file := FileKey(name, version, e.Path); err == nil && !storage.ValidKey(file) {
				err = fmt.Errorf("it has a file %q, which no store can hold", e.Path)
			}
		}
		if err == nil {
			_, err = storage.BlobKey(there.Digest)
		}
		if err == nil && (there.Name != name || there.Version != version) {
			err = fmt.Errorf("it is the release %s@%d", there.Name, there.Version)
		}
		return err
	})
}

// ReleaseAt returns the release of that version; ErrNotFound if there is none.
func (r Registry) ReleaseAt(ctx context.Context, name string, version int) (Release, error) {
	there, _, err := r.releaseAt(ctx, name, version)
	return there, err
}

// The aliases that have a meaning of their own.
const (
	Champion = "champion" // the one in use
	Latest   = "latest"   // the one published last
)

// Release returns the release that a version number or an alias names; an empty
// one means the alias champion where there is one, else latest. It is ErrNotFound where there
// is no such version or alias. An alias whose version is gone is damaged: another release
// in its place would be one that nobody chose.
func (r Registry) Release(ctx context.Context, name, versionOrAlias string) (Release, error) {
	if !ValidName(name) {
		return Release{}, fmt.Errorf("storage: %q is no model name", name)
	}
	if versionOrAlias == "" {
		release, err := r.Release(ctx, name, Champion)
		if !errors.Is(err, storage.ErrNotFound) {
			return release, err
		}
		versionOrAlias = Latest
	}
	if version, ok := ParseVersion(versionOrAlias); ok {
		return r.ReleaseAt(ctx, name, version)
	}
	alias, _, err := r.alias(ctx, name, versionOrAlias)
	if err != nil {
		return Release{}, err
	}
	there, err := r.ReleaseAt(ctx, name, alias.Version)
	if errors.Is(err, storage.ErrNotFound) {
		return Release{}, &storage.Error{Op: "read alias", Key: aliasKey(name, versionOrAlias), Class: storage.ErrCorrupt, Err: fmt.Errorf("it names version %d, and that release is gone", alias.Version)}
	}
	return there, err
}

// Releases returns the releases of a name by version. Those whose records are damaged, or
// are vouched for by no key, are told by the error, beside all others: who deletes or
// decides by what is not there must not go on, who only shows may.
func (r Registry) Releases(ctx context.Context, name string) ([]Release, error) {
	versions, err := r.versions(ctx, name)
	if err != nil {
		return nil, err
	}
	slices.Sort(versions)
	var out []Release
	var broken []error
	for _, v := range versions {
		switch there, _, err := r.releaseAt(ctx, name, v); {
		case err == nil:
			out = append(out, there)
		case storage.DamagedOrUntrusted(err):
			broken = append(broken, err)
		case !errors.Is(err, storage.ErrNotFound):
			return nil, err
		}
	}
	return out, errors.Join(broken...)
}
