package storeio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sprint-ml/sprint/stages/scratch"
	"github.com/sprint-ml/sprint/storage"
)

// Place makes an open local file, which lies at path, the file or object of that name, a
// path or a store URL: whole, in place of what is there. A local file is moved, so both
// lie on one disk; what goes into a bucket is copied and then removed. f stays the
// caller's to close.
func Place(ctx context.Context, f *os.File, path, name string) error {
	if err := f.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	bucket, key, remote := storage.SplitURL(name)
	if !remote {
		return replace(path, storage.LocalPath(name))
	}
	s, err := storage.Open(ctx, bucket, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.PutFile(ctx, key, f); err != nil {
		return err
	}
	_ = os.Remove(path) // it takes only space
	return nil
}

// replace moves a file over another one, whose mode it takes.
func replace(path, name string) error {
	if info, err := os.Stat(name); err == nil {
		if err := os.Chmod(path, info.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := os.Rename(path, name); err != nil {
		return err
	}
	if dir, err := os.Open(filepath.Dir(name)); err == nil {
		_ = dir.Sync() // some file systems cannot, and then need not
		dir.Close()
	}
	return nil
}

// WriteTo writes a file or object of that name, a path or a store URL, as Place does.
// Folders of a path are made.
func WriteTo(ctx context.Context, name string, fill func(io.Writer) error) error {
	var dir string
	pattern := "export-*"
	if _, _, remote := storage.SplitURL(name); remote {
		made, done, err := scratch.New()
		if err != nil {
			return err
		}
		defer done()
		dir = made
	} else {
		path := storage.LocalPath(name)
		if dir = filepath.Dir(path); dir != "." {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
		}
		pattern = "." + filepath.Base(path) + ".*.partial"
	}
	f, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return err
	}
	err = fill(f)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = Place(ctx, f, f.Name(), name)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", storage.Redact(name), err)
	}
	return nil
}

// Remove removes a file or object of that name; it is no error if there is none.
func Remove(ctx context.Context, name string) error {
	bucket, key, remote := storage.SplitURL(name)
	if !remote {
		if err := os.Remove(storage.LocalPath(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	s, err := storage.Open(ctx, bucket, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.SweepExport(ctx, key)
}
