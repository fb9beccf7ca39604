//go:build soak

package servers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// TestBigRelease publishes a file that is over the 5 GiB which S3 copies in one
// request: its copy, made by parts, has every byte. The blob is a sparse file in
// the server's folder; its copy takes 5 GiB of disk.
func TestBigRelease(t *testing.T) {
	const size = 5<<30 + 12345
	server := startS3(t)
	var copies int
	s := open(t, server.url(server.addr), &storage.Options{Around: func(_ context.Context, op, _ string, call func() error) error {
		if op == "copy" {
			copies++
		}
		return call()
	}})
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(zeros{}, size)); err != nil {
		t.Fatal(err)
	}
	digest := "sha256:" + hex.EncodeToString(h.Sum(nil))
	tree, err := s.PutTree(t.Context(), []storage.TreeEntry{{Path: "model.safetensors", Digest: digest, Size: size}})
	if err != nil {
		t.Fatal(err)
	}
	listing, err := filepath.Glob(filepath.Join(server.folder, bucket, "p*", "blobs"))
	if err != nil || len(listing) != 1 {
		t.Fatalf("blobs are in %q, %v", listing, err)
	}
	key, err := storage.BlobKey(digest)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(listing[0]), filepath.FromSlash(key))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := models.In(s).Publish(t.Context(), "big", tree, nil); err != nil {
		t.Fatal(err)
	}
	// Publishing again reads the copy to its end, and copies nothing.
	if _, err := models.In(s).Publish(t.Context(), "big", tree, nil); err != nil || copies != 1 {
		t.Errorf("%d copies, %v; want one", copies, err)
	}
}

// zeros reads as zeros without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
