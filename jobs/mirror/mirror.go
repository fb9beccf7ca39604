// Package mirror shows published models in registries of other makers. The store stays the
// one that decides: its aliases move first, and a registry that is down, slow or refuses is
// behind until the next try.
//
// mirror.go says what a registry must do, push.go brings one up to date, state.go is what the
// store knows of it, hide.go keeps secrets out of what is said, verified.go damaged bytes out
// of what is sent, forget.go what becomes of one that no plan lists any more. oci, mlflow and
// hf are kinds of registries, rest is how some are asked, listener is a program that is told,
// places makes a registry of what a plan says, and mirrortest is what every kind that can be
// asked must do.
package mirror

import (
	"context"
	"fmt"
	"io"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// Registry shows the releases of one model. It need not be safe for concurrent use: one at
// a time works on a mirror.
type Registry interface {
	// Push makes a release readable there under its version, by whoever asks for that
	// version all of it or nothing. What is there of an earlier try is used, and a release
	// that is there stays as it is. A *ForeignError says that somebody else has the name.
	// Errors need not name the release, and had better not: what is wrong with several is said
	// once if it is said of each in the same words.
	Push(ctx context.Context, r Release) error
	// Point makes an alias name a release that was pushed. was is the tree's digest of the
	// release that it named before, empty if there was no such alias; something else that
	// it named is described.
	Point(ctx context.Context, alias string, r Release) (was string, err error)
}

// Release is one that is shown elsewhere.
type Release struct {
	models.Release
	// Open reads a file of it. Its bytes are compared with its digest as they are read, and
	// the last one is given only if all are right; the caller closes it.
	Open func(ctx context.Context, e storage.TreeEntry) (io.ReadCloser, error)
	// Source is the address of the folder of its files, whose names are lower case there, in
	// a store that others can read; empty if the store is on this machine.
	Source string
	// Known reports whether a tree is that of a release of the store, or was shown by it. What
	// is there of any other was put there by another store; nil takes all for known.
	Known func(ctx context.Context, digest string) (bool, error)
}

// CheckOwner is a *ForeignError if what has a name there, a release of that tree, is one of
// another store: two stores that show a model in one place would overwrite each other's. It
// is nil of an empty digest, which is no release's.
func (r Release) CheckOwner(ctx context.Context, name, digest string) error {
	if digest == "" || r.Known == nil {
		return nil
	}
	known, err := r.Known(ctx, digest)
	if err != nil {
		return fmt.Errorf("whether %s there is of this store: %w", name, err)
	}
	if !known {
		return &ForeignError{Name: name, There: "a release that another store put there (tree " + digest + ": a plan of each store names a place of its own)"}
	}
	return nil
}

// Listener is a Registry that is told, and cannot be asked what it shows. It is told what the
// store does not know it to have heard, and may hear the same twice.
type Listener interface{ Listens() bool }

// Remarker is a Registry that has something to say of what it did, or left alone.
type Remarker interface{ Remarks() []string }

// ForeignError says that a name there is taken by what is no release of ours. It is left
// alone, and no other try will do better.
type ForeignError struct {
	Name  string // there
	There string // what has it
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s there is %s, which is not ours: it is left alone", e.Name, e.There)
}
