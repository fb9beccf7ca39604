package gcsblob_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sprint-ml/sprint/storage/gcsblob"
	"github.com/sprint-ml/sprint/storage/storagetest"
	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/blob/drivertest"
	"gocloud.dev/gcerrors"
)

// TestMain leaves out of gocloud's suite what the driver does not offer:
// metadata and the like of an object, signed URLs.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.skip"); f.Value.String() == "" {
		if err := f.Value.Set("TestConformance/Test(Attributes|Metadata|SignedURL)"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

type harness struct{ server *httptest.Server }

func (h harness) MakeDriver(context.Context) (driver.Bucket, error) {
	return gcsblob.New(h.server.Client(), h.server.URL, "bucket"), nil
}

func (h harness) MakeDriverForNonexistentBucket(context.Context) (driver.Bucket, error) {
	return nil, nil // the server has every bucket
}

func (h harness) HTTPClient() *http.Client         { return nil }
func (h harness) SupportsCopy() bool               { return true }
func (h harness) SupportsNonSlashDelimiters() bool { return true }
func (h harness) Close()                           { h.server.Close() }

// TestConformance runs gocloud's own suite.
func TestConformance(t *testing.T) {
	drivertest.RunConformanceTests(t, func(context.Context, *testing.T) (drivertest.Harness, error) {
		return harness{httptest.NewServer(storagetest.NewGCS())}, nil
	}, nil)
}

// flaky breaks every second request that carries a part of an upload: before
// the server sees it, after half of it, or after it was done.
type flaky struct {
	next  http.Handler
	parts atomic.Int64
	sent  atomic.Int64
}

func (f *flaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPut || r.ContentLength <= 0 {
		f.next.ServeHTTP(w, r)
		return
	}
	f.sent.Add(r.ContentLength)
	n := f.parts.Add(1)
	switch n % 6 {
	case 1:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case 3: // the server keeps the first half
		var first, last, total int64
		span := r.Header.Get("Content-Range")
		_, err := fmt.Sscanf(strings.Replace(span, "*", "-1", 1), "bytes %d-%d/%d", &first, &last, &total)
		if err == nil {
			half := r.Clone(r.Context())
			size := (last + 1 - first) / 2 / (16 << 20) * (16 << 20)
			half.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/*", first, first+size-1))
			half.Body, half.ContentLength = io.NopCloser(io.LimitReader(r.Body, size)), size
			if size > 0 {
				f.next.ServeHTTP(httptest.NewRecorder(), half)
			}
		}
		w.WriteHeader(http.StatusBadGateway)
		return
	case 5: // the reply is lost
		f.next.ServeHTTP(httptest.NewRecorder(), r)
		w.WriteHeader(http.StatusGatewayTimeout)
		return
	}
	f.next.ServeHTTP(w, r)
}

// TestUploads: what is stored through a bad network is what was written, by a
// writer that holds a chunk and by Put that holds nothing, and no byte that the
// server has is sent more than twice.
func TestUploads(t *testing.T) {
	for _, size := range []int{0, 16 << 20, 16<<20 + 1, 40<<20 + 7} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			data := make([]byte, size)
			r := rand.NewChaCha8([32]byte{byte(size), 1})
			_, _ = r.Read(data) // never fails
			f := &flaky{next: storagetest.NewGCS()}
			server := httptest.NewServer(f)
			defer server.Close()
			d := gcsblob.New(server.Client(), server.URL, "bucket")
			b := blob.NewBucket(d)
			defer b.Close()
			if err := b.WriteAll(t.Context(), "written", data, nil); err != nil {
				t.Fatal(err)
			}
			err := d.Put(t.Context(), "put", "application/octet-stream", int64(size), func(offset int64) (io.Reader, error) {
				return bytes.NewReader(data[offset:]), nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range []string{"written", "put"} {
				if got, err := b.ReadAll(t.Context(), key); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%s: %d bytes, %v", key, len(got), err)
				}
			}
			if sent := f.sent.Load(); sent > 5*int64(size) {
				t.Errorf("%d bytes were sent for %d", sent, 2*size)
			}
		})
	}
}

// TestShort: a body that ends early or fails makes no object.
func TestShort(t *testing.T) {
	server := httptest.NewServer(storagetest.NewGCS())
	defer server.Close()
	d := gcsblob.New(server.Client(), server.URL, "bucket")
	b := blob.NewBucket(d)
	defer b.Close()
	for name, size := range map[string]int64{"small": 1000, "big": 17 << 20} {
		for what, body := range map[string]io.Reader{
			"short":  io.LimitReader(zeros{}, size-1),
			"failed": io.MultiReader(io.LimitReader(zeros{}, size/2), broken{}),
		} {
			key := name + what
			if err := d.Put(t.Context(), key, "", size, func(int64) (io.Reader, error) { return body, nil }); err == nil {
				t.Errorf("%s was stored", key)
			}
			if there, err := b.Exists(t.Context(), key); err != nil || there {
				t.Errorf("%s is there: %t, %v", key, there, err)
			}
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("broken by the test") }

// TestDenied: a missing right is no missing object.
func TestDenied(t *testing.T) {
	g := storagetest.NewGCS()
	g.Deny = func(*http.Request) int { return http.StatusForbidden }
	server := httptest.NewServer(g)
	defer server.Close()
	b := blob.NewBucket(gcsblob.New(server.Client(), server.URL, "bucket"))
	defer b.Close()
	_, err := b.ReadAll(t.Context(), "key")
	var e *gcsblob.Error
	if gcerrors.Code(err) != gcerrors.PermissionDenied || !errors.As(err, &e) || e.Status != http.StatusForbidden {
		t.Errorf("reading without the right: %v", err)
	}
}
