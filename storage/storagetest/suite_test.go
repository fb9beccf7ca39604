package storagetest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

func TestFile(t *testing.T) { storagetest.RunStore(t, storagetest.URLs(fileURL(t))) }

func TestMem(t *testing.T) {
	storagetest.RunStore(t, storagetest.URLs(func() string { return "mem://" }))
}

// TestSigned: with keys a store keeps the same promises.
func TestSigned(t *testing.T) {
	unsigned := storagetest.URLs(fileURL(t))
	storagetest.RunStore(t, storagetest.Harness{Open: func(t testing.TB, o *storage.Options) *storage.Store {
		if o == nil {
			o = &storage.Options{Keys: storagetest.Keyring(t, "k")}
		}
		return unsigned.Open(t, o)
	}})
}

func TestS3(t *testing.T) { storagetest.RunStore(t, storagetest.URLs(storagetest.S3URL(t, nil))) }

func TestGCS(t *testing.T) { storagetest.RunStore(t, storagetest.URLs(storagetest.GCSURL(t, nil))) }

// TestRepublish: bytes that are there are not sent again.
func TestRepublish(t *testing.T) {
	for name, start := range clouds {
		t.Run(name, func(t *testing.T) {
			var sent storagetest.Sent
			storagetest.RunRepublish(t, start(t, sent.Around)(), &sent)
		})
	}
}

// TestDenied: a missing right is never taken for a missing object, whatever
// the operation.
func TestDenied(t *testing.T) {
	for name, start := range clouds {
		for _, status := range []int{401, 403} {
			t.Run(fmt.Sprint(name, status), func(t *testing.T) {
				tries := 0
				s, err := storage.Open(t.Context(), start(t, storagetest.DenyAll(status))(), &storage.Options{
					Around: func(_ context.Context, _, _ string, call func() error) error { tries++; return call() },
				})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				for op, err := range operations(t.Context(), s) {
					if !errors.Is(err, storage.ErrDenied) || errors.Is(err, storage.ErrNotFound) && !strings.Contains(err.Error(), "denied") {
						t.Errorf("%s: %v; want access denied", op, err)
					}
				}
				// A denied create looks whether its key is taken.
				if want := len(operations(t.Context(), s)) + 1; tries/2 > want {
					t.Errorf("%d tries where %d are needed: what is denied is not tried again", tries/2, want)
				}
			})
		}
	}
}

// operations tries every operation of a store and returns the errors.
func operations(ctx context.Context, s *storage.Store) map[string]error {
	digest := "sha256:" + strings.Repeat("0", 64)
	out := map[string]error{}
	_, out["get"] = s.Get(ctx, digest, -1)
	_, out["has"] = s.Has(ctx, digest)
	_, out["put"] = s.Put(ctx, strings.NewReader("x"), "")
	_, _, out["read"] = s.Read(ctx, "a/b")
	_, out["stat"] = s.Stat(ctx, "a/b")
	out["create"] = s.Create(ctx, "a/b", nil)
	out["write"] = s.WriteFile(ctx, "a/b", nil)
	_, out["swap"] = s.Swap(ctx, "a/b", "1", nil)
	out["sweep"] = s.Sweep(ctx, "a/b")
	_, out["open"] = s.OpenFile(ctx, "a/b")
	_, out["manifest"] = s.Manifest(ctx, "train", strings.Repeat("0", 64))
	for _, out["list"] = range s.List(ctx, "a/") {
	}
	for _, out["folders"] = range s.Folders(ctx, "a/") {
	}
	return out
}

// TestBusy: what a server answers when it is overloaded counts as temporary.
func TestBusy(t *testing.T) {
	for name, start := range clouds {
		t.Run(name, func(t *testing.T) {
			var busy atomic.Int64
			url := start(t, func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if n := busy.Add(1); n%3 != 0 {
						http.Error(w, "", []int{503, 500, 429}[n%3])
						return
					}
					h.ServeHTTP(w, r)
				})
			})()
			s, err := storage.Open(t.Context(), url, &storage.Options{Backoff: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Create(t.Context(), "a", []byte("x")); err != nil {
				t.Fatal(err)
			}
			if body, _, err := s.Read(t.Context(), "a"); err != nil || string(body) != "x" {
				t.Errorf("read %q, %v", body, err)
			}
		})
	}
}

// TestLostReplies breaks the connection after every third write was done. The
// SDKs then repeat the request and are told that the key exists.
func TestLostReplies(t *testing.T) {
	for name, start := range clouds {
		t.Run(name, func(t *testing.T) {
			var writes atomic.Int64
			url := start(t, storagetest.LoseReplies(func(r *http.Request) bool {
				return r.Method != http.MethodGet && r.Method != http.MethodHead && writes.Add(1)%3 == 0
			}))()
			open := func() *storage.Store {
				s, err := storage.Open(t.Context(), url, &storage.Options{Backoff: time.Millisecond})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close() })
				return s
			}
			handles := []*storage.Store{open(), open()}
			for k := range 5 {
				var winners atomic.Int64
				var wg sync.WaitGroup
				for i := range 4 {
					wg.Go(func() {
						err := handles[i%2].Create(t.Context(), fmt.Sprint("claims/", k), []byte{byte(i)})
						if err == nil {
							winners.Add(1)
						} else if !errors.Is(err, storage.ErrExists) {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				if winners.Load() != 1 {
					t.Errorf("claim %d has %d owners", k, winners.Load())
				}
			}
			version := ""
			for i := range 8 {
				var err error
				if version, err = handles[i%2].Swap(t.Context(), "lease", version, fmt.Append(nil, i)); err != nil {
					t.Fatalf("swap %d: %v", i, err)
				}
			}
		})
	}
}

// TestBrokenDownload cuts the first replies to a read short: the reader goes on
// where it broke.
func TestBrokenDownload(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for name, start := range clouds {
		t.Run(name, func(t *testing.T) {
			var cuts atomic.Int64
			url := start(t, func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "blobs") && cuts.Load() > 0 {
						cuts.Add(-1)
						w = &cuttingWriter{w, 300_000}
					}
					h.ServeHTTP(w, r)
				})
			})()
			s, err := storage.Open(t.Context(), url, &storage.Options{Backoff: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			a, err := s.Put(t.Context(), bytes.NewReader(data), "")
			if err != nil {
				t.Fatal(err)
			}
			cuts.Store(2)
			r, err := s.Get(t.Context(), a.Digest, a.Size)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			var got bytes.Buffer
			if _, err := got.ReadFrom(r); err != nil || !bytes.Equal(got.Bytes(), data) {
				t.Errorf("read %d bytes of %d, %v", got.Len(), len(data), err)
			}
			if left := cuts.Load(); left != 0 {
				t.Errorf("%d replies were not cut", left)
			}
		})
	}
}
