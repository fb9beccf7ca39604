package storage_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage"
)

// TestForeignFiles: files that lie in the folder of a store under names that no object
// has are none of its objects, and stop no walk over these.
func TestForeignFiles(t *testing.T) {
	dir := t.TempDir()
	s, err := storage.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m := storage.Manifest{Kind: "train", Key: strings.Repeat("a", 64), Generation: 1, Preimage: []byte("{}")}
	if _, _, err := s.Commit(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	own := storage.ManifestKey(m.Kind, m.Key, 1)
	for _, name := range []string{"manifests/train/NOTES/1", "manifests/train/" + m.Key + "/+2", "checkpoints/train/" + m.Key + "/a b", "Notes/x", strings.Repeat(strings.Repeat("a", 200)+"/", 3) + "x"} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var keys, folders []string
	for info, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	for name, err := range s.Folders(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		folders = append(folders, name)
	}
	if !slices.Equal(keys, []string{own}) || slices.Contains(folders, "Notes") || !slices.Contains(folders, "manifests") {
		t.Errorf("objects %q in folders %q", keys, folders)
	}
	found := 0
	for m, err := range s.History(t.Context(), "") {
		if err != nil || m.Kind != "train" {
			t.Errorf("%+v, %v", m, err)
		}
		found++
	}
	for c, err := range s.Checkpoints(t.Context()) {
		t.Errorf("checkpoint %+v, %v", c, err)
	}
	if found != 1 {
		t.Errorf("%d manifests", found)
	}
}
