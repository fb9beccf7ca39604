package bucket_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/storage/bucket"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// breaking breaks the connection after a part of a reply.
type breaking struct {
	http.ResponseWriter
	left int
}

func (w *breaking) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		panic(http.ErrAbortHandler)
	}
	return w.ResponseWriter.Write(p)
}

// TestOpenFileResumes: a reader goes on where its connection broke, unless the
// object is another one by then.
func TestOpenFileResumes(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 4<<20/16)
	for name, start := range map[string]func(testing.TB, func(http.Handler) http.Handler) func() string{"s3": storagetest.S3URL, "gcs": storagetest.GCSURL} {
		for _, replaced := range []bool{false, true} {
			gets := 0
			url := start(t, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodGet && strings.Contains(r.URL.String(), "big") {
						if gets++; gets == 1 {
							w = &breaking{w, 1 << 20}
						}
					}
					next.ServeHTTP(w, r)
				})
			})()
			b, err := bucket.Open(t.Context(), url, &bucket.Options{Backoff: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if err := b.WriteFile(t.Context(), "big", data); err != nil {
				t.Fatal(err)
			}
			r, err := b.OpenFile(t.Context(), "big")
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if replaced {
				if err := b.WriteFile(t.Context(), "big", bytes.ToUpper(data)); err != nil {
					t.Fatal(err)
				}
			}
			got, err := io.ReadAll(r)
			if replaced && !errors.Is(err, bucket.ErrStale) || !replaced && (err != nil || !bytes.Equal(got, data)) {
				t.Errorf("%s, replaced %v: read %d of %d bytes, %v, in %d requests", name, replaced, len(got), len(data), err, gets)
			}
		}
	}
}
