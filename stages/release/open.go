package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/scratch"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// Folder is a release on the local disk.
type Folder struct {
	Dir string
	// Name is NAME@VERSION, or the folder's own name if it came from no store.
	Name   string
	model  string                 // that it is a release of in its store; empty of a folder
	digest string                 // of the release in its store
	done   func()                 // removes the folder if OpenFolder made it
	seen   map[string]fs.FileInfo // files that were compared with a digest, as they were then
	read   map[string]string      // digests of files that were read
	signed map[string]string      // digests of the files that a signature covers; nil if none was demanded
}

// Close removes the folder if OpenFolder made it.
func (f *Folder) Close() {
	if f.done != nil {
		f.done()
	}
}

// wanted is what a reference to a release may be.
const wanted = "NAME, NAME@VERSION, NAME@ALIAS or a release folder"

// OpenFolder brings a release into a local folder, which the caller closes. ref is NAME,
// NAME@VERSION or NAME@ALIAS in the store at storeURL, a store URL of a release
// (STORE/models/NAME or STORE/models/NAME/VERSION), or a folder. A release that is
// not there, or a file, is a Failure of CodeEnvironment, a damaged one of CodeIntegrity. A
// folder is compared with its manifest.json; strict refuses one that has none.
func OpenFolder(ctx context.Context, ref, storeURL string, strict bool, o *storage.Options) (*Folder, error) {
	if IsFolder(ref) {
		if err := refuseFile(ref); err != nil {
			return nil, err
		}
		f := &Folder{Dir: ref, Name: filepath.Base(ref), seen: map[string]fs.FileInfo{}, read: map[string]string{}}
		if err := f.verify(ctx, strict, o.Log); err != nil {
			return nil, err
		}
		return f, nil
	}
	storeURL, name, version := locate(ref, storeURL)
	s, err := storage.Open(ctx, storeURL, o)
	if err != nil {
		return nil, missing(ref, err)
	}
	defer s.Close()
	r, err := models.In(s).Release(ctx, name, version)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, unknown(ctx, models.In(s), ref, name, err)
	}
	if err != nil {
		return nil, missing(ref, err)
	}
	return Fetch(ctx, s, r)
}

// OpenStored brings a release of the store at storeURL into a local folder, which the caller
// closes: that of a name, a version and a digest, whatever folders there are here of such a
// name. One of another digest by now is a Failure of CodeIntegrity.
func OpenStored(ctx context.Context, r models.Release, storeURL string, o *storage.Options) (*Folder, error) {
	ref := fmt.Sprintf("%s@%d", r.Name, r.Version)
	s, err := storage.Open(ctx, storeURL, o)
	if err != nil {
		return nil, missing(ref, err)
	}
	defer s.Close()
	there, err := models.In(s).ReleaseAt(ctx, r.Name, r.Version)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, unknown(ctx, models.In(s), ref, r.Name, err)
	case err != nil:
		return nil, missing(ref, err)
	case there.Digest != r.Digest:
		return nil, stages.Fail(stages.CodeIntegrity, "try again; `sprint models` lists what is there", "the release %s is another one than a moment ago: %s, it was %s", ref, there.Digest, r.Digest)
	}
	return Fetch(ctx, s, there)
}

// Fetch brings a release of an open store into a local folder, which the caller closes.
func Fetch(ctx context.Context, s *storage.Store, r models.Release) (*Folder, error) {
	scratch.Sweep() // a serve that was killed left a whole model
	dir, done, err := scratch.New()
	if err != nil {
		return nil, err
	}
	f := &Folder{Dir: dir, Name: fmt.Sprintf("%s@%d", r.Name, r.Version), model: r.Name, digest: r.Digest, done: done, seen: map[string]fs.FileInfo{}, read: map[string]string{}}
	if err := s.FetchTree(ctx, r.Files, dir); err != nil {
		f.Close()
		return nil, fmt.Errorf("the release %s of digest %s: %w", f.Name, r.Digest, err)
	}
	for _, e := range r.Files {
		f.read[e.Path] = e.Digest
	}
	return f, nil
}

// Resolve says which release of a store a reference names now, and the URL of the store.
// ok is false of a folder, which names itself.
func Resolve(ctx context.Context, ref, storeURL string, o *storage.Options) (r models.Release, store string, ok bool, err error) {
	if IsFolder(ref) {
		return r, "", false, nil
	}
	storeURL, name, version := locate(ref, storeURL)
	if folder, local := storage.Folder(storeURL); local {
		if _, err := os.Stat(folder); err != nil { // opening it would make it
			return r, "", false, missing(ref, err)
		}
	}
	s, err := storage.Open(ctx, storeURL, o)
	if err != nil {
		return r, "", false, missing(ref, err)
	}
	defer s.Close()
	r, err = models.In(s).Release(ctx, name, version)
	if errors.Is(err, storage.ErrNotFound) {
		return r, "", false, unknown(ctx, models.In(s), ref, name, err)
	}
	if err != nil {
		return r, "", false, missing(ref, err)
	}
	return r, storeURL, true, nil
}

// IsFolder reports whether a reference is a release folder. One that only happens to have
// the model's name is none, nor is any NAME@VERSION or NAME@ALIAS.
func IsFolder(ref string) bool {
	if strings.Contains(ref, "@") && !strings.ContainsAny(ref, `/\`) {
		return false
	}
	_, err := os.Stat(filepath.Join(ref, "config.json"))
	return err == nil || strings.ContainsAny(ref, `/\`) && !strings.Contains(ref, "://")
}

// locate parts a reference into the store, the model's name and its version or
// alias, empty for the usual one.
func locate(ref, storeURL string) (store, name, version string) {
	if i := strings.Index(ref, "/models/"); i > 0 && strings.Contains(ref, "://") {
		name, version, _ = strings.Cut(strings.Trim(ref[i+len("/models/"):], "/"), "/")
		return ref[:i], name, version
	}
	name, version, _ = strings.Cut(ref, "@")
	return storeURL, name, version
}

// refuseFile is the failure for a reference that is a file; nil if it is none.
func refuseFile(ref string) error {
	if info, err := os.Stat(ref); err != nil || info.IsDir() {
		return nil //nolint:nilerr // what is not there is told by whoever reads it
	}
	return stages.Fail(stages.CodeEnvironment, "`sprint models` lists the models of the store", "%s is a file; --model wants %s", ref, wanted)
}

// unknown is the failure for a release that a store has not. It says which there are.
func unknown(ctx context.Context, r models.Registry, ref, name string, err error) error {
	if refusal := refuseFile(ref); refusal != nil {
		return refusal
	}
	hint := Known(ctx, r, name)
	return stages.Fail(stages.CodeEnvironment, hint, "no model %s: %w", storage.Redact(ref), err)
}

func missing(ref string, err error) error {
	ref = storage.Redact(ref)
	if errors.Is(err, storage.ErrDenied) {
		return fmt.Errorf("no model %s: %w", ref, err)
	}
	if errors.Is(err, storage.ErrCorrupt) {
		return stages.Fail(stages.CodeIntegrity, "name another version, as NAME@1; `sprint store check` says what is damaged and what mends it", "no model %s: %w", ref, err)
	}
	return stages.Fail(stages.CodeEnvironment, "`sprint run` publishes a model; --store says where it is", "no model %s: %w", ref, err)
}
