package provenance

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/sprint-ml/sprint/storage"
)

// Fetch writes an artifact to a file, or a tree to a folder, verified: beside its
// place first, then moved there whole. It returns the number of files. Nothing may
// be at dest.
func Fetch(ctx context.Context, s *storage.Store, f Found, dest string) (files int, err error) {
	dir, err := os.MkdirTemp(filepath.Dir(dest), ".sprint-get-*")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	part := filepath.Join(dir, "part")
	files = 1
	if f.Tree() {
		entries, err := s.Tree(ctx, f.Digest)
		if err != nil {
			return 0, err
		}
		files = len(entries)
		if err := os.Mkdir(part, 0o755); err != nil {
			return 0, err
		}
		if err := s.FetchTree(ctx, entries, part); err != nil {
			return 0, err
		}
	} else if err := fetchFile(ctx, s, f, part); err != nil {
		return 0, err
	}
	return files, os.Rename(part, dest)
}

func fetchFile(ctx context.Context, s *storage.Store, f Found, path string) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	err = s.FetchFile(ctx, f.Digest, f.Size, out)
	return errors.Join(err, out.Close())
}
