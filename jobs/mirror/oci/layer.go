package oci

import (
	"archive/tar"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/storage"
)

// root is the folder of a release in its image, where model servers look for it.
const root = "models"

// writeLayer writes the files of a release as the layer of its image: sorted, of nobody, at
// no time. The same release has the same bytes, whoever writes them and when. It is not
// packed: weights do not shrink, and packers of two versions differ.
func writeLayer(ctx context.Context, w io.Writer, r mirror.Release) error {
	t := tar.NewWriter(w)
	folders := map[string]bool{}
	folder := func(path string) error {
		if folders[path] {
			return nil
		}
		folders[path] = true
		return t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: path + "/", Mode: 0o755, ModTime: time.Unix(0, 0), Format: tar.FormatPAX})
	}
	if err := folder(root); err != nil {
		return err
	}
	files := slices.SortedFunc(slices.Values(r.Files), func(a, b storage.TreeEntry) int { return cmp.Compare(a.Path, b.Path) })
	for _, e := range files {
		for i, c := range e.Path {
			if c != '/' {
				continue
			}
			if err := folder(root + "/" + e.Path[:i]); err != nil {
				return err
			}
		}
		if err := writeFile(ctx, t, r, e); err != nil {
			return fmt.Errorf("file %s: %w", e.Path, err)
		}
	}
	return t.Close()
}

func writeFile(ctx context.Context, t *tar.Writer, r mirror.Release, e storage.TreeEntry) error {
	if strings.HasPrefix(e.Path, "/") || slices.Contains(strings.Split(e.Path, "/"), "..") {
		return fmt.Errorf("it would be outside %s", root)
	}
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: root + "/" + e.Path, Size: e.Size, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}); err != nil {
		return err
	}
	from, err := r.Open(ctx, e)
	if err != nil {
		return err
	}
	defer from.Close()
	_, err = io.Copy(t, from)
	return err
}

// counter counts what is written.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// describeLayer reads the release once, and says which layer it makes: the registry is asked
// for it by its digest before any of it is sent.
func describeLayer(ctx context.Context, r mirror.Release) (ocispec.Descriptor, error) {
	h, n := sha256.New(), counter(0)
	if err := writeLayer(ctx, io.MultiWriter(h, &n), r); err != nil {
		return ocispec.Descriptor{}, err
	}
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: digest.Digest("sha256:" + hex.EncodeToString(h.Sum(nil))), Size: int64(n)}, nil
}

// layer reads the layer of a release. The caller closes it.
func layer(ctx context.Context, r mirror.Release) io.ReadCloser {
	out, in := io.Pipe()
	go func() { in.CloseWithError(writeLayer(ctx, in, r)) }() // it ends when out is closed
	return out
}
