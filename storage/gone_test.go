//go:build unix

package storage_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage"
)

// A store whose folder vanishes is no store without objects: writers say what
// happened, and do not try again.
func TestFolderGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s, err := storage.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.WriteFile(t.Context(), "a/b", nil); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	_, put := s.Put(t.Context(), strings.NewReader("x"), "text/plain")
	for name, err := range map[string]error{"write": s.WriteFile(t.Context(), "a/b", nil), "create": s.Create(t.Context(), "a/c", nil), "put": put} {
		if !errors.Is(err, storage.ErrInvalid) || errors.Is(err, storage.ErrNotFound) || !strings.Contains(err.Error(), "was removed") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
