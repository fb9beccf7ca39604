package release

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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

// OpenFolder brings a release into a local folder, which the caller closes. ref is NAME,
// NAME@VERSION or NAME@ALIAS in the store at storeURL, a store URL of a release
// (STORE/models/NAME or STORE/models/NAME/VERSION), or a folder. What is no
// reference is a Failure of CodeUsage, a release that is not there, or a file, one of
// CodeEnvironment, a damaged one of CodeIntegrity. A
// folder is compared with its manifest.json; strict refuses one that has none.
func OpenFolder(ctx context.Context, ref, storeURL string, strict bool, o *storage.Options) (*Folder, error) {
	if IsFolder(ref) {
		if err := refuseFolder(ref); err != nil {
			return nil, err
		}
		f := &Folder{Dir: ref, Name: filepath.Base(ref), seen: map[string]fs.FileInfo{}, read: map[string]string{}}
		if err := f.verify(ctx, strict, o.Log); err != nil {
			return nil, err
		}
		return f, nil
	}
	storeURL, name, version, err := locate(ref, storeURL)
	if err != nil {
		return nil, err
	}
	s, err := storage.Open(ctx, storeURL, o)
	if err != nil {
		return nil, missing(ref, err)
	}
	defer s.Close()
	r, err := find(ctx, s, ref, name, version)
	if err != nil {
		return nil, err
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
	there, err := find(ctx, s, ref, r.Name, fmt.Sprint(r.Version))
	switch {
	case err != nil:
		return nil, err
	case there.Digest != r.Digest:
		return nil, stages.Fail(stages.CodeIntegrity, "try again; `sprint models` lists what is there", "the release %s is another one than a moment ago: %s, it was %s", ref, there.Digest, r.Digest)
	}
	return Fetch(ctx, s, there)
}

// Fetch brings a release of an open store into a local folder, which the caller closes. A
// record that lists other files than its digest stands for is a Failure of CodeIntegrity:
// what answered would be told by the one and be the other.
func Fetch(ctx context.Context, s *storage.Store, r models.Release) (*Folder, error) {
	named, err := s.Tree(ctx, r.Digest)
	if err != nil {
		return nil, fmt.Errorf("files of the release %s@%d: %w", r.Name, r.Version, err)
	}
	if !slices.Equal(named, r.Files) {
		return nil, stages.Fail(stages.CodeIntegrity, "`sprint store check` says what is damaged; `sprint run` publishes it anew", "the release %s@%d is damaged: its record lists other files than its digest %s stands for", r.Name, r.Version, r.Digest)
	}
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
	storeURL, name, version, err := locate(ref, storeURL)
	if err != nil {
		return r, "", false, err
	}
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
	if r, err = find(ctx, s, ref, name, version); err != nil {
		return r, "", false, err
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
