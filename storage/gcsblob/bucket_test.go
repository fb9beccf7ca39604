package gcsblob_test

import (
	"bytes"
	"compress/gzip"
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
	"github.com/sprint-ml/sprint/storage/storagetest/gcsfake"
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

// open opens a bucket on a server, and gives its driver too.
func open(server *httptest.Server) (*blob.Bucket, *gcsblob.Bucket) {
	d := gcsblob.New(server.Client(), server.URL, "bucket")
	return blob.NewBucket(d), d
}

type harness struct{ server *httptest.Server }

func (h harness) MakeDriver(context.Context) (driver.Bucket, error) {
	_, d := open(h.server)
	return d, nil
}

func (h harness) MakeDriverForNonexistentBucket(context.Context) (driver.Bucket, error) {
	return nil, nil // the server has every bucket
}

func (h harness) HTTPClient() *http.Client         { return nil }
func (h harness) SupportsCopy() bool               { return true }
func (h harness) SupportsNonSlashDelimiters() bool { return true }
func (h harness) SkipDownloadAt() bool             { return false }
func (h harness) Close()                           { h.server.Close() }

// TestConformance runs gocloud's own suite.
func TestConformance(t *testing.T) {
	drivertest.RunConformanceTests(t, func(context.Context, *testing.T) (drivertest.Harness, error) {
		return harness{httptest.NewServer(gcsfake.New())}, nil
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
// writer that holds all and by Put that holds nothing, and no byte that the
// server has is sent more than twice.
func TestUploads(t *testing.T) {
	for _, size := range []int{0, 16 << 20, 16<<20 + 1, 40<<20 + 7} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			data := make([]byte, size)
			r := rand.NewChaCha8([32]byte{byte(size), 1})
			_, _ = r.Read(data) // never fails
			f := &flaky{next: gcsfake.New()}
			server := httptest.NewServer(f)
			defer server.Close()
			b, d := open(server)
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
	server := httptest.NewServer(gcsfake.New())
	defer server.Close()
	b, d := open(server)
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
	g := gcsfake.New()
	g.Deny = func(*http.Request) int { return http.StatusForbidden }
	server := httptest.NewServer(g)
	defer server.Close()
	b, _ := open(server)
	defer b.Close()
	_, err := b.ReadAll(t.Context(), "key")
	var e *gcsblob.Error
	if gcerrors.Code(err) != gcerrors.PermissionDenied || !errors.As(err, &e) || e.Status != http.StatusForbidden {
		t.Errorf("reading without the right: %v", err)
	}
}

// serve starts the stand-in with a handler before it, and opens a bucket on it.
func serve(t *testing.T, around func(g http.Handler, w http.ResponseWriter, r *http.Request)) *gcsblob.Bucket {
	t.Helper()
	g := gcsfake.New()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { around(g, w, r) }))
	t.Cleanup(server.Close)
	_, d := open(server)
	return d
}

func put(t *testing.T, d *gcsblob.Bucket, key string, data []byte) error {
	t.Helper()
	return d.Put(t.Context(), key, "", int64(len(data)), func(offset int64) (io.Reader, error) { return bytes.NewReader(data[offset:]), nil })
}

func pattern(size int) []byte {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(data) // never fails
	return data
}

// TestUploadLost: a server that forgot what it had of an upload, and says so by
// leaving out the span, is sent everything again, where that is still at hand.
func TestUploadLost(t *testing.T) {
	puts := 0
	d := serve(t, func(g http.Handler, w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut {
			g.ServeHTTP(w, r)
			return
		}
		switch puts++; puts {
		case 1: // it takes 16 MiB and fails
			part := r.Clone(r.Context())
			part.Header.Set("Content-Range", "bytes 0-16777215/*")
			part.Body = io.NopCloser(io.LimitReader(r.Body, 16<<20))
			g.ServeHTTP(httptest.NewRecorder(), part)
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2: // the question how far it is
			g.ServeHTTP(w, r)
		case 3:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 4: // it has nothing any more
			w.Header().Set("X-Http-Status-Code-Override", "308")
		default:
			if first := r.Header.Get("Content-Range"); !strings.HasPrefix(first, "bytes 0-") {
				t.Errorf("after the loss the upload goes on with %q", first)
			}
			g.ServeHTTP(w, r)
		}
	})
	data := pattern(40<<20 + 7)
	if err := put(t, d, "key", data); err != nil {
		t.Fatal(err)
	}
	b := blob.NewBucket(d)
	defer b.Close()
	if got, err := b.ReadAll(t.Context(), "key"); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestUploadGone: the upload that a server does not know any more fails with
// the status, for the caller to begin anew.
func TestUploadGone(t *testing.T) {
	for _, status := range []int{http.StatusNotFound, http.StatusGone} {
		d := serve(t, func(g http.Handler, w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				w.WriteHeader(status)
				return
			}
			g.ServeHTTP(w, r)
		})
		var e *gcsblob.Error
		if err := put(t, d, "key", pattern(17<<20)); !errors.As(err, &e) || e.Status != status {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// TestUploadSlow: failures between which the upload comes on are not counted.
func TestUploadSlow(t *testing.T) {
	failed := 0
	d := serve(t, func(g http.Handler, w http.ResponseWriter, r *http.Request) {
		var first, last, total int64
		if _, err := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &total); err != nil || last-first < 5<<20 {
			g.ServeHTTP(w, r)
			return
		}
		failed++
		part := r.Clone(r.Context())
		part.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/*", first, first+4<<20-1))
		part.Body = io.NopCloser(io.LimitReader(r.Body, 4<<20))
		g.ServeHTTP(httptest.NewRecorder(), part)
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	if err := put(t, d, "key", pattern(24<<20)); err != nil || failed < 4 {
		t.Errorf("after %d failures: %v", failed, err)
	}
}

// TestUploadInPieces: a server may take a part of what it was sent and say so
// without a failure; the rest follows.
func TestUploadInPieces(t *testing.T) {
	short := 0
	d := serve(t, func(g http.Handler, w http.ResponseWriter, r *http.Request) {
		var first, last int64
		if n, _ := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes %d-%d/", &first, &last); n == 2 && last-first >= 1<<20 && short < 2 {
			short++
			part := r.Clone(r.Context())
			part.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/*", first, first+(1<<20)-1))
			part.Body = io.NopCloser(io.LimitReader(r.Body, 1<<20))
			g.ServeHTTP(w, part)
			_, _ = io.Copy(io.Discard, r.Body)
			return
		}
		g.ServeHTTP(w, r)
	})
	b := blob.NewBucket(d)
	defer b.Close()
	data := pattern(33 << 20)
	if err := b.WriteAll(t.Context(), "key", data, nil); err != nil || short != 2 {
		t.Fatalf("%d short ones, %v", short, err)
	}
	if got, err := b.ReadAll(t.Context(), "key"); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestUploadChanged: what the network changed on its way is no success.
func TestUploadChanged(t *testing.T) {
	d := serve(t, func(g http.Handler, w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && r.ContentLength > 0 {
			body, _ := io.ReadAll(r.Body)
			body[len(body)/2] ^= 1
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		g.ServeHTTP(w, r)
	})
	b := blob.NewBucket(d)
	defer b.Close()
	data := pattern(17 << 20)
	for how, err := range map[string]error{"put": put(t, d, "put", data), "written": b.WriteAll(t.Context(), "written", data, nil)} {
		if err == nil || !strings.Contains(err.Error(), "checksum") {
			t.Errorf("%s: %v", how, err)
		}
	}
}

// TestCopyInSteps: a copy goes on with the token of its last step, and does not
// begin again for ever where there is none.
func TestCopyInSteps(t *testing.T) {
	var tokens []string
	token := "next"
	d := serve(t, func(g http.Handler, w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, "/rewriteTo/") {
			g.ServeHTTP(w, r)
			return
		}
		if tokens = append(tokens, r.URL.Query().Get("rewriteToken")); len(tokens) == 3 {
			g.ServeHTTP(w, r)
			return
		}
		fmt.Fprintf(w, `{"done":false,"rewriteToken":%q}`, token)
	})
	if err := put(t, d, "from", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := d.Copy(t.Context(), "to", "from", nil); err != nil || strings.Join(tokens, ",") != ",next,next" {
		t.Errorf("tokens %q, %v", tokens, err)
	}
	tokens, token = nil, ""
	if err := d.Copy(t.Context(), "to", "from", nil); err == nil || len(tokens) != 1 {
		t.Errorf("%d steps without a token, %v", len(tokens), err)
	}
}

// TestPackedError: what is wrong is read even where the reply is compressed.
func TestPackedError(t *testing.T) {
	d := serve(t, func(_ http.Handler, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(http.StatusNotFound)
		z := gzip.NewWriter(w)
		fmt.Fprint(z, `{"error":{"code":404,"message":"The specified bucket does not exist."}}`)
		_ = z.Close() // the client sees to it
	})
	if _, err := d.Attributes(t.Context(), "key"); err == nil || !strings.Contains(err.Error(), "bucket does not exist") {
		t.Error(err)
	}
}

// TestOpenLength: an object whose reply leaves its length open has the one that
// is stored.
func TestOpenLength(t *testing.T) {
	d := serve(t, func(_ http.Handler, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Goog-Stored-Content-Length", "10")
		fmt.Fprint(w, "01234")
		_ = http.NewResponseController(w).Flush()
		fmt.Fprint(w, "56789")
	})
	r, err := d.NewRangeReader(t.Context(), "key", 0, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != "0123456789" || r.Attributes().Size != 10 {
		t.Errorf("%q of %d bytes, %v", got, r.Attributes().Size, err)
	}
}
