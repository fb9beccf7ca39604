//go:build unix

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// TestServeDamagedRelease: a release with a damaged file is not served: the message names it,
// its digest and that of the file; no keywords answer for it.
func TestServeDamagedRelease(t *testing.T) {
	dir := t.TempDir()
	publishRules(t, filepath.Join(dir, "store"), "toy", goodTaxonomy)
	s, err := storage.Open(t.Context(), filepath.Join(dir, "store"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := models.In(s).ReleaseAt(t.Context(), "toy", 1)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	_, digest, _ := strings.Cut(r.Files[0].Digest, ":")
	blobs, err := filepath.Glob(filepath.Join(dir, "store", "blobs", "*", "*", digest))
	if err != nil || len(blobs) != 1 {
		t.Fatalf("the blob is %v, %v", blobs, err)
	}
	data, err := os.ReadFile(blobs[0])
	if err == nil {
		err = os.Chmod(blobs[0], 0o600)
	}
	if err == nil {
		err = os.WriteFile(blobs[0], bytes.ToUpper(data), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := exec(t, dir, "serve", "--store", "store", "--model", "toy@1", "--device", "go", "--allow-keywords", "--listen", "127.0.0.1:0")
	if code != 9 || stdout != "" {
		t.Errorf("code %d: %s%s", code, stdout, stderr)
	}
	for _, want := range []string{"the release toy@1 of digest " + r.Digest, digest, "corrupt"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("it does not say %q: %s", want, stderr)
		}
	}
}
