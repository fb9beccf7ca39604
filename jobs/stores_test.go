package jobs_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// manifests maps kind/key to the number of manifests that a store has of it; one
// that cannot be read commits nothing.
func manifests(t testing.TB, s *storage.Store) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, k := range objects(t, s) {
		if rest, ok := strings.CutPrefix(k, "manifests/"); ok {
			if _, _, err := s.Read(t.Context(), k); errors.Is(err, storage.ErrCorrupt) {
				continue
			}
			out[rest[:strings.LastIndexByte(rest, '/')]]++
		}
	}
	return out
}

// everywhere runs a test on a folder and on servers of S3 and GCS, with a
// function that gives the URL of a new store each time.
func everywhere(t *testing.T, test func(t *testing.T, url func() string)) {
	t.Run("file", func(t *testing.T) { test(t, func() string { return filepath.Join(t.TempDir(), "store") }) })
	t.Run("s3", func(t *testing.T) { test(t, storagetest.S3URL(t, nil)) })
	t.Run("gcs", func(t *testing.T) { test(t, storagetest.GCSURL(t, nil)) })
}

func objects(t testing.TB, s *storage.Store) []string {
	t.Helper()
	var keys []string
	for info, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

// cut leaves the first half of an object.
func cut(t testing.TB, url, key string) error {
	s, err := storage.Open(t.Context(), url, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	data, err := s.ReadFile(t.Context(), key, 1<<20)
	if err != nil {
		return err
	}
	return s.WriteFile(t.Context(), key, data[:len(data)/2])
}
