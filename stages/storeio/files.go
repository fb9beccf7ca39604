package storeio

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// Files opens the outside files that were resolved for a key, by path, and
// verifies that they still hold the bytes that the key stands for.
type Files map[string]stages.FileInfo

var _ stages.Files = (Files)(nil)

// Open returns the bytes of a local file or of an object at a store URL.
func (f Files) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	info, ok := f[name]
	if !ok {
		return nil, fmt.Errorf("file %s was not resolved when the key was computed", name)
	}
	r, err := OpenFile(ctx, name)
	if err != nil {
		return nil, stages.Fail(stages.CodePlan, "restore the file, or change the option that names it", "%w", err)
	}
	return &verifiedReader{r: r, path: name, want: info, hash: sha256.New()}, nil
}

// OpenFile opens a local path, or the object at a store URL, which it reads while
// it comes. The caller closes the reader.
func OpenFile(ctx context.Context, name string) (io.ReadCloser, error) {
	bucket, key, ok := storage.SplitURL(name)
	if !ok {
		return plainfile.Open(storage.LocalPath(name))
	}
	s, err := storage.Open(ctx, bucket, nil)
	if err != nil {
		return nil, err
	}
	r, err := s.OpenFile(ctx, key)
	if err != nil {
		s.Close()
		return nil, err
	}
	return &remote{r, s}, nil
}

// remote is an open object with the store that was opened for it.
type remote struct {
	io.ReadCloser
	store *storage.Store
}

func (r *remote) Close() error { return errors.Join(r.ReadCloser.Close(), r.store.Close()) }

// verifiedReader fails with storage.ErrCorrupt at the end if the bytes are not those
// that were resolved.
type verifiedReader struct {
	r    io.ReadCloser
	path string
	want stages.FileInfo
	hash hash.Hash
}

func (v *verifiedReader) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	v.hash.Write(p[:n])
	if err == io.EOF {
		if got := "sha256:" + hex.EncodeToString(v.hash.Sum(nil)); got != v.want.Digest {
			return n, fmt.Errorf("%s: %w: its bytes changed since the key was computed (%s, now %s); run again", v.path, storage.ErrCorrupt, v.want.Digest, got)
		}
	}
	return n, err
}

func (v *verifiedReader) Close() error { return v.r.Close() }
