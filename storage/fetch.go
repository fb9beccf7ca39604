package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/sprint-ml/sprint/storage/bucket"
)

// FetchFile writes a blob of that size (negative: any) to an empty file, which
// must be open for reading as well. After an error the file holds anything. The
// errors are those of Get and of its reader; ErrTransient says that bytes changed
// on their way.
func (s *Store) FetchFile(ctx context.Context, digest string, size int64, f *os.File) error {
	if !s.Parallel(size) {
		r, err := s.Get(ctx, digest, size)
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = io.Copy(f, r)
		return err
	}
	key, err := BlobKey(digest)
	if err != nil {
		return err
	}
	got, err := s.Download(ctx, key, size, f)
	switch {
	case errors.Is(err, bucket.ErrOtherSize):
		return s.corrupt(ctx, key, digest, size, err)
	case err != nil:
		return err
	case got != digest:
		return s.corrupt(ctx, key, digest, size, fmt.Errorf("its bytes have digest %s, want %s", got, digest))
	}
	return nil
}

// fetchFile writes a blob to a new file of root; there is none after an error.
func (s *Store) fetchFile(ctx context.Context, root *os.Root, e TreeEntry) error {
	if d := path.Dir(e.Path); d != "." {
		if err := root.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	f, err := root.OpenFile(e.Path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	err = s.FetchFile(ctx, e.Digest, e.Size, f)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = root.Remove(e.Path) // half a file must not be taken for a whole one
	}
	return err
}
