package bucket_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/sprint-ml/sprint/storage/bucket"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// smallCopies makes a server copy as S3 does: an object of more than limit
// bytes only by parts, which gofakes3 does not know of.
func smallCopies(limit int64, parts *atomic.Int64) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			source := r.Header.Get("X-Amz-Copy-Source")
			if r.Method != http.MethodPut || source == "" {
				h.ServeHTTP(w, r)
				return
			}
			get := httptest.NewRequest(http.MethodGet, "/"+source, nil)
			if span := r.Header.Get("X-Amz-Copy-Source-Range"); span != "" {
				get.Header.Set("Range", span)
			}
			from := httptest.NewRecorder()
			h.ServeHTTP(from, get)
			if from.Code >= 300 || int64(from.Body.Len()) > limit {
				w.Header().Set("Content-Type", "application/xml")
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprint(w, `<Error><Code>InvalidRequest</Code><Message>The specified copy source is larger than the maximum allowable size</Message></Error>`)
				return
			}
			parts.Add(1)
			put := httptest.NewRequest(http.MethodPut, r.URL.String(), from.Body)
			put.Header.Set("Content-Length", strconv.FormatInt(put.ContentLength, 10))
			done := httptest.NewRecorder()
			h.ServeHTTP(done, put)
			w.WriteHeader(done.Code)
			fmt.Fprintf(w, `<CopyPartResult><ETag>%s</ETag></CopyPartResult>`, done.Header().Get("ETag"))
		})
	}
}

// TestCopyInParts: a release's file that is too big for one request of S3 is
// copied by several, byte for byte. The server refuses the one request; the
// bucket's limit is lowered to the server's.
func TestCopyInParts(t *testing.T) {
	const limit = 1 << 20
	var parts atomic.Int64
	b, err := bucket.Open(t.Context(), storagetest.S3URL(t, smallCopies(limit, &parts))(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	bucket.CopyInParts(b, limit)
	data := make([]byte, 3*limit+7)
	for i := range data {
		data[i] = byte(i * i >> 9)
	}
	if err := b.WriteFile(t.Context(), "blobs/one", data); err != nil {
		t.Fatal(err)
	}
	if err := b.Copy(t.Context(), "models/big/1/files/model.safetensors", "blobs/one", int64(len(data))); err != nil {
		t.Fatal(err)
	}
	got, err := b.ReadFile(t.Context(), "models/big/1/files/model.safetensors", int64(len(data)))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("the copy has %d bytes, %v", len(got), err)
	}
	if n := parts.Load(); n != 4 {
		t.Errorf("%d parts were copied, want 4", n)
	}
}
