package storeio

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/url"
	"os"
	"path"
	"strings"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// maxRemote caps a file that is read from a store URL.
const maxRemote = 1 << 30

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

// OpenFile opens a local path or the object at a store URL.
func OpenFile(ctx context.Context, name string) (io.ReadCloser, error) {
	if !IsURL(name) {
		return os.Open(name)
	}
	store, key, err := SplitURL(name)
	if err != nil {
		return nil, err
	}
	s, err := storage.Open(ctx, store, nil)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	data, err := s.ReadFile(ctx, key, maxRemote)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// IsURL reports whether a path names an object of a store.
func IsURL(path string) bool { return strings.Contains(path, "://") }

// SplitURL parts the URL of an object into the URL of its folder, which opens
// as a store, and its key there.
func SplitURL(raw string) (store, key string, err error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", "", err
	}
	key = path.Base(u.Path)
	if key == "/" || key == "." {
		return "", "", fmt.Errorf("%s names no object", u.Redacted())
	}
	u.Path = path.Dir(u.Path)
	u.RawPath = ""
	return u.String(), key, nil
}

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
