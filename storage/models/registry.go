// Package models is the registry of a store: published models, which are
// immutable numbered releases of a name, and aliases, which are movable names of
// a release.
//
// All of it lies below models/NAME/ in the store:
//
//	VERSION/claim         the digest of the tree that the version is taken for
//	VERSION/files/...     copies of the tree's files, under their own names
//	VERSION/release.json  the record that makes the release visible, written last
//	aliases/ALIAS         the last move of the alias, which says what version it names
//	history/ALIAS/NUMBER  its moves before that, each written before it is replaced; the last
//	                      one too where KeepMove wrote it
//	mirrors/ID            what is known of a registry of another maker that shows the model;
//	                      package jobs/mirror writes it
package models

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/sprint-ml/sprint/storage"
)

// Registry is the models of a store. It is safe for concurrent use, and free to
// make; the store stays its owner's.
type Registry struct{ store *storage.Store }

// In returns the registry of a store.
func In(s *storage.Store) Registry { return Registry{store: s} }

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// ValidName reports whether a model or alias may have that name.
func ValidName(name string) bool { return namePattern.MatchString(name) }

// releaseFolder is the prefix of all keys of a release.
func releaseFolder(name string, version int) string {
	return fmt.Sprintf("models/%s/%d/", name, version)
}

// FileKey is the key of the copy of a release's file; it is lower case
// like all keys.
func FileKey(name string, version int, path string) string {
	return releaseFolder(name, version) + "files/" + strings.ToLower(path)
}

// Names lists the names of all models that were ever published.
func (r Registry) Names(ctx context.Context) ([]string, error) {
	var names []string
	for name, err := range r.store.Folders(ctx, "models/") {
		if err != nil {
			return nil, err
		}
		if ValidName(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// ParseVersion reads a version; ok is false if text is none.
func ParseVersion(text string) (version int, ok bool) { return storage.ParseNumber(text, 1) }

// ValidAlias reports whether an alias may have that name. A number, of whatever form,
// is none.
func ValidAlias(alias string) bool {
	return ValidName(alias) && strings.Trim(alias, "0123456789") != ""
}

// versions returns the numbers that a name has folders of, in no order. A folder of
// another name is no release.
func (r Registry) versions(ctx context.Context, name string) ([]int, error) {
	var out []int
	for folder, err := range r.store.Folders(ctx, "models/"+name+"/") {
		if err != nil {
			return nil, err
		}
		if v, ok := ParseVersion(folder); ok {
			out = append(out, v)
		}
	}
	return out, nil
}
