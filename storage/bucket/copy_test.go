package bucket_test

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/sprint-ml/sprint/storage/bucket"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// span is bytes of an object, of which nobody has any.
type span struct{ first, last int64 }

// bigCopies copies as S3 does an object of a size, whose bytes nobody has: in one
// request up to 5 GiB, and else by parts, which it joins in the order in which it
// is told.
type bigCopies struct {
	size int64

	mu     sync.Mutex
	once   int // copies by one request
	parts  map[int]span
	joined []span
}

func (s *bigCopies) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const limit = 5 << 30
	refuse := func() {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `<Error><Code>InvalidRequest</Code><Message>The specified copy source is larger than the maximum allowable size</Message></Error>`)
	}
	w.Header().Set("Content-Type", "application/xml")
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodPost && q.Has("uploads"):
		s.parts = map[int]span{}
		fmt.Fprint(w, `<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><UploadId>u</UploadId></InitiateMultipartUploadResult>`)
	case r.Method == http.MethodPost:
		var all struct {
			Part []struct{ PartNumber int }
		}
		if err := xml.NewDecoder(r.Body).Decode(&all); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for _, p := range all.Part {
			s.joined = append(s.joined, s.parts[p.PartNumber])
		}
		fmt.Fprint(w, `<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>`)
	case r.Method == http.MethodGet: // the bucket asks whether its records are signed
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `<Error><Code>NoSuchKey</Code></Error>`)
	case r.Method == http.MethodHead:
		w.Header().Set("Content-Length", strconv.FormatInt(s.size, 10))
	case q.Has("partNumber"):
		n, _ := strconv.Atoi(q.Get("partNumber"))
		var p span
		if _, err := fmt.Sscanf(r.Header.Get("X-Amz-Copy-Source-Range"), "bytes=%d-%d", &p.first, &p.last); err != nil || p.last-p.first >= limit {
			refuse()
			return
		}
		s.parts[n] = p
		fmt.Fprintf(w, `<CopyPartResult><ETag>"e%d"</ETag></CopyPartResult>`, n)
	case s.size > limit:
		refuse()
	default:
		s.once++
		fmt.Fprint(w, `<CopyObjectResult><ETag>"e"</ETag></CopyObjectResult>`)
	}
}

// TestCopyInParts: a release's file that is too big for one request of S3 is
// copied by several, each byte once and in order; any other by one.
func TestCopyInParts(t *testing.T) {
	for _, size := range []int64{0, 5 << 30, 5<<30 + 1, 21 << 28} {
		server := &bigCopies{size: size}
		b, err := bucket.Open(t.Context(), storagetest.S3URL(t, func(http.Handler) http.Handler { return server })(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if err := b.Copy(t.Context(), "models/big/1/files/model.safetensors", "blobs/one", size); err != nil {
			t.Fatal(err)
		}
		end := int64(0)
		for _, p := range server.joined {
			if p.first != end || p.last < p.first {
				t.Errorf("%d bytes: a part begins at %d, behind %d", size, p.first, end)
			}
			end = p.last + 1
		}
		n, whole := len(server.joined), size <= 5<<30
		if whole != (server.once == 1) || !whole && end != size {
			t.Errorf("%d bytes: %d copies, and %d parts of %d bytes", size, server.once, n, end)
		}
	}
}
