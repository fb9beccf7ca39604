package storage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/storage/bucket"
	"github.com/sprint-ml/sprint/storage/record"
	"golang.org/x/sync/errgroup"
)

// treeLimit caps the listing of a tree: about 100,000 files.
const treeLimit = 64 << 20

// PutTree stores the listing of files that are in the store already.
func (s *Store) PutTree(ctx context.Context, entries []TreeEntry) (Artifact, error) {
	sorted := append([]TreeEntry{}, entries...) // an empty tree is a list as well
	slices.SortFunc(sorted, func(a, b TreeEntry) int { return strings.Compare(a.Path, b.Path) })
	if err := CheckTree(sorted); err != nil {
		return Artifact{}, err
	}
	data, err := json.Marshal(sorted)
	if err != nil {
		return Artifact{}, err
	}
	return s.Put(ctx, bytes.NewReader(data), MediaTree)
}

// putFiles stores all regular files of a folder, many at once, and returns them
// sorted by path. Those that the store has already are not sent.
func (s *Store) putFiles(ctx context.Context, root *os.Root, dir string) ([]TreeEntry, error) {
	var entries []TreeEntry
	err := fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s: only folders and regular files can be stored", filepath.Join(dir, p))
		}
		entries = append(entries, TreeEntry{Path: p})
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b TreeEntry) int { return strings.Compare(a.Path, b.Path) })
	return entries, each(ctx, entries, func(ctx context.Context, i int) error {
		f, err := root.Open(entries[i].Path)
		if err != nil {
			return err
		}
		defer f.Close()
		c, err := bucket.ScanFile(f)
		if err != nil {
			return err
		}
		entries[i].Digest, entries[i].Size = c.Digest, c.Size
		return s.putContent(ctx, c)
	})
}

// each calls f for all files, many at once. After the first error it begins no
// other.
func each(ctx context.Context, entries []TreeEntry, f func(ctx context.Context, i int) error) error {
	group, each := errgroup.WithContext(ctx)
	group.SetLimit(bucket.FilesInFlight)
	for i := range entries {
		if each.Err() != nil {
			break
		}
		group.Go(func() error { return f(each, i) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// Tree reads a tree's listing, sorted by path.
func (s *Store) Tree(ctx context.Context, digest string) ([]TreeEntry, error) {
	data, err := s.ReadBlob(ctx, digest, -1, treeLimit)
	var entries []TreeEntry
	switch {
	case err == nil:
		entries, err = decodeTree(data)
	case !errors.Is(err, ErrLarge):
		return nil, err
	}
	if err != nil {
		return nil, &Error{Op: "read tree", Key: digest, Class: ErrCorrupt, Err: err}
	}
	return entries, nil
}

func decodeTree(data []byte) ([]TreeEntry, error) {
	var entries []TreeEntry
	if err := record.DecodeStrict(data, &entries); err != nil {
		return nil, err
	}
	return entries, CheckTree(entries)
}

// CheckTree refuses listings that would write outside a folder or twice.
func CheckTree(entries []TreeEntry) error {
	for i, e := range entries {
		if !fs.ValidPath(e.Path) || e.Path == "." || path.Clean(e.Path) != e.Path || strings.ContainsAny(e.Path, "\\:\x00") {
			return fmt.Errorf("path %q of a tree is not a clean relative one", e.Path)
		}
		if e.Size < 0 {
			return fmt.Errorf("%s: negative size", e.Path)
		}
		if _, err := BlobKey(e.Digest); err != nil {
			return fmt.Errorf("%s: %w", e.Path, err)
		}
		if i > 0 && entries[i-1].Path >= e.Path {
			return fmt.Errorf("%s: entries are not sorted or not unique", e.Path)
		}
	}
	return nil
}

// FetchTree writes the files of a tree below dir, an existing folder.
func (s *Store) FetchTree(ctx context.Context, entries []TreeEntry, dir string) error {
	if err := CheckTree(entries); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return each(ctx, entries, func(ctx context.Context, i int) error {
		return again(func() error { return s.fetchFile(ctx, root, entries[i]) })
	})
}

// again repeats the read of a blob whose bytes went wrong on their way.
func again(read func() error) error {
	err := read()
	if errors.Is(err, ErrTransient) {
		err = read()
	}
	return err
}
