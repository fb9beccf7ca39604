package stages

import (
	"context"
	"io"

	"github.com/sprint-ml/sprint/storage"
)

// Inputs opens the artifacts that a stage declared, by name. Every byte is
// verified: a reader returns storage.ErrCorrupt instead of io.EOF when the
// content is not that of the digest.
type Inputs interface {
	// Artifact returns the record of an input; ok is false for an optional
	// input that nothing makes.
	Artifact(name string) (a storage.Artifact, ok bool)
	// Open opens an input that is a single file.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// Tree opens an input that is a tree.
	Tree(ctx context.Context, name string) (Tree, error)
}

// Tree is a read-only set of files.
type Tree interface {
	// Entries lists the files, sorted by path.
	Entries() []storage.TreeEntry
	// Open opens one file; storage.ErrNotFound if there is none of that path.
	Open(ctx context.Context, path string) (io.ReadCloser, error)
	// Fetch writes all files below dir, an existing folder.
	Fetch(ctx context.Context, dir string) error
}

// Outputs creates the artifacts that a stage declared, by name.
type Outputs interface {
	// Create starts an output that is a single file. media is its MIME type.
	Create(ctx context.Context, name, media string) (Writer, error)
	// CreateTree starts an output that is a tree of files.
	CreateTree(ctx context.Context, name string) (TreeWriter, error)
}

// Writer is an artifact in the making. Exactly one of Commit and Abort ends it;
// Abort after Commit does nothing, so `defer w.Abort()` is the usual shape.
type Writer interface {
	io.Writer
	Commit() error
	Abort()
}

// TreeWriter is a tree in the making. Files are committed one by one, then the
// tree itself; a tree without Commit is never seen.
type TreeWriter interface {
	// Create starts the file of a slash-separated relative path.
	Create(path string) (Writer, error)
	Commit() error
	Abort()
}
