package storagetest_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// fetched is a store with one blob that is fetched in ranges.
func fetched(t *testing.T, start func(testing.TB, func(http.Handler) http.Handler) func() string, around func(http.ResponseWriter) http.ResponseWriter, tries int) (*storage.Store, storage.TreeEntry, []byte) {
	url := start(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "blobs") {
				w = around(w)
			}
			h.ServeHTTP(w, r)
		})
	})()
	s, err := storage.Open(t.Context(), url, &storage.Options{Backoff: time.Millisecond, Tries: tries})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	data := bytes.Repeat([]byte("0123456789abcde"), 3<<20) // 45 MiB
	a, err := s.Put(t.Context(), bytes.NewReader(data), "")
	if err != nil {
		t.Fatal(err)
	}
	return s, storage.TreeEntry{Path: "f", Digest: a.Digest, Size: a.Size}, data
}

// TestFetchOverBadConnections: replies that break off are asked for again, and
// bytes that change on their way are found and fetched once more.
func TestFetchOverBadConnections(t *testing.T) {
	for name, start := range clouds {
		for fault, wrap := range map[string]func(http.ResponseWriter) http.ResponseWriter{
			"cut":  func(w http.ResponseWriter) http.ResponseWriter { return &cuttingWriter{w, 300_000} },
			"flip": func(w http.ResponseWriter) http.ResponseWriter { return &flippingWriter{w, 300_000} },
		} {
			t.Run(name+"/"+fault, func(t *testing.T) {
				var faults atomic.Int64
				s, e, data := fetched(t, start, func(w http.ResponseWriter) http.ResponseWriter {
					if faults.Add(-1) >= 0 {
						return wrap(w)
					}
					return w
				}, 0)
				faults.Store(3)
				dir := t.TempDir()
				err := s.FetchTree(t.Context(), []storage.TreeEntry{e}, dir)
				got, _ := os.ReadFile(filepath.Join(dir, "f"))
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("fetched %d bytes of %d, %v", len(got), len(data), err)
				}
				if left := faults.Load(); left >= 0 {
					t.Errorf("%d replies were not broken", left)
				}
			})
		}
	}
}

// TestFetchGivesUp: a download that cannot succeed ends with its cause and
// leaves no file, and one whose file takes no more bytes does not ask again.
func TestFetchGivesUp(t *testing.T) {
	var broken atomic.Bool
	s, e, _ := fetched(t, storagetest.S3URL, func(w http.ResponseWriter) http.ResponseWriter {
		if broken.Load() {
			return &cuttingWriter{w, 300_000}
		}
		return w
	}, 2)
	dir := t.TempDir()
	broken.Store(true)
	err := s.FetchTree(t.Context(), []storage.TreeEntry{e}, dir)
	if !errors.Is(err, storage.ErrTransient) {
		t.Errorf("broken connections: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%s is left", left[0].Name())
	}
	broken.Store(false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.FetchTree(ctx, []storage.TreeEntry{e}, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that is gone: %v", err)
	}
	file, err := os.Create(filepath.Join(dir, "f"))
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	if err := s.FetchFile(t.Context(), e.Digest, e.Size, file); !errors.Is(err, os.ErrClosed) || errors.Is(err, storage.ErrTransient) {
		t.Errorf("a file that takes no bytes: %v", err)
	}
}

// flippingWriter changes one byte of the body.
type flippingWriter struct {
	http.ResponseWriter
	left int
}

func (w *flippingWriter) Write(p []byte) (int, error) {
	if w.left >= 0 && w.left < len(p) {
		p = bytes.Clone(p)
		p[w.left] ^= 1
	}
	w.left -= len(p)
	return w.ResponseWriter.Write(p)
}
