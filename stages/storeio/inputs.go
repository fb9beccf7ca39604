// Package storeio implements what a stage reads and writes (stages.Inputs,
// Outputs, Files, Checkpoints) over a store. The runner and the stages' own
// tests use the same code, so a stage that passes its tests meets nothing new
// in a run.
//
// inputs.go, outputs.go, files.go and checkpoints.go are the implementations.
// documents.go is what kinds do with them: read and write one document or one table.
package storeio

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// Inputs opens a fixed set of artifacts by name.
type Inputs struct {
	store  *storage.Store
	byName map[string]storage.Artifact
}

// NewInputs returns Inputs that hold exactly the given artifacts.
func NewInputs(store *storage.Store, byName map[string]storage.Artifact) *Inputs {
	return &Inputs{store: store, byName: byName}
}

var _ stages.Inputs = (*Inputs)(nil)

// Artifact returns the record of an input.
func (in *Inputs) Artifact(name string) (storage.Artifact, bool) {
	a, ok := in.byName[name]
	return a, ok
}

func (in *Inputs) find(name string) (storage.Artifact, error) {
	a, ok := in.byName[name]
	if !ok {
		return a, fmt.Errorf("input %q: %w: this attempt has %s", name, storage.ErrNotFound, strings.Join(slices.Sorted(maps.Keys(in.byName)), ", "))
	}
	return a, nil
}

// Open opens an input that is a single file; the reader verifies.
func (in *Inputs) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	a, err := in.find(name)
	if err != nil {
		return nil, err
	}
	if a.Media == storage.MediaTree {
		return nil, fmt.Errorf("input %q is a tree of files, not a single one", name)
	}
	return in.store.Get(ctx, a.Digest, a.Size)
}

// Tree opens an input that is a tree.
func (in *Inputs) Tree(ctx context.Context, name string) (stages.Tree, error) {
	a, err := in.find(name)
	if err != nil {
		return nil, err
	}
	if a.Media != storage.MediaTree {
		return nil, fmt.Errorf("input %q is a single file, not a tree", name)
	}
	return OpenTree(ctx, in.store, a.Digest)
}

// Tree is a stored tree of files.
type Tree struct {
	store   *storage.Store
	entries []storage.TreeEntry
}

// OpenTree reads the listing of a tree.
func OpenTree(ctx context.Context, store *storage.Store, digest string) (*Tree, error) {
	entries, err := store.Tree(ctx, digest)
	if err != nil {
		return nil, err
	}
	return &Tree{store: store, entries: entries}, nil
}

// Entries lists the files, sorted by path.
func (t *Tree) Entries() []storage.TreeEntry { return slices.Clone(t.entries) }

// Open opens one file of the tree.
func (t *Tree) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	i, ok := slices.BinarySearchFunc(t.entries, path, func(e storage.TreeEntry, path string) int { return strings.Compare(e.Path, path) })
	if !ok {
		return nil, fmt.Errorf("file %q of a tree: %w", path, storage.ErrNotFound)
	}
	return t.store.Get(ctx, t.entries[i].Digest, t.entries[i].Size)
}

// Fetch writes all files below dir, an existing folder.
func (t *Tree) Fetch(ctx context.Context, dir string) error {
	return t.store.FetchTree(ctx, t.entries, dir)
}
