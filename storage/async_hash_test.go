package storage

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"testing"

	"github.com/sprint-ml/sprint/storage/bucket"
)

type failingWriter struct{ after int }

var errSink = errors.New("the sink broke")

func (f *failingWriter) Write(p []byte) (int, error) {
	if f.after -= len(p); f.after < 0 {
		return 0, errSink
	}
	return len(p), nil
}

// TestWriteTo: a copy that hashes beside brings the same bytes and errors as
// one that reads, and can be gone on with.
func TestWriteTo(t *testing.T) {
	s, err := Open(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	data := make([]byte, 5<<20+3)
	for i := range data {
		data[i] = byte(i * i >> 5)
	}
	a, err := s.Put(t.Context(), bytes.NewReader(data), "")
	if err != nil {
		t.Fatal(err)
	}
	get := func() io.ReadCloser {
		r, err := s.Get(t.Context(), a.Digest, a.Size)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, first := range []int64{0, 1, 3 << 20, 5 << 20} {
		r, h := get(), sha256.New()
		if _, err := io.CopyN(struct{ io.Writer }{h}, r, first); err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(h, r)
		if err != nil || n != a.Size-first || bucket.DigestOf(h) != a.Digest {
			t.Errorf("from %d on: %d bytes, %v", first, n, err)
		}
		r.Close()
	}
	r := get()
	if _, err := io.Copy(&failingWriter{2 << 20}, r); !errors.Is(err, errSink) {
		t.Errorf("a broken sink: %v", err)
	}
	r.Close()
	key, err := BlobKey(a.Digest)
	if err != nil {
		t.Fatal(err)
	}
	data[4<<20] ^= 1
	if err := s.WriteFile(t.Context(), key, data); err != nil {
		t.Fatal(err)
	}
	r = get()
	if n, err := io.Copy(io.Discard, r); !errors.Is(err, ErrCorrupt) || n != a.Size {
		t.Errorf("a corrupt blob: %d bytes, %v", n, err)
	}
	r.Close()
}
