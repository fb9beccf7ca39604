package storage

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"

	"github.com/sprint-ml/sprint/storage/record"
)

func benchStore(b *testing.B) *Store {
	s, err := Open(b.Context(), b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// BenchmarkPut stores new blobs of two sizes in a local folder, fsync included.
func BenchmarkPut(b *testing.B) {
	for name, size := range map[string]int{"4KiB": 4 << 10, "16MiB": 16 << 20} {
		b.Run(name, func(b *testing.B) {
			s, data, n := benchStore(b), make([]byte, size), uint64(0)
			b.SetBytes(int64(size))
			for b.Loop() {
				n++
				binary.LittleEndian.PutUint64(data, n)
				if _, err := s.Put(b.Context(), bytes.NewReader(data), ""); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPutAgain stores a blob that is there.
func BenchmarkPutAgain(b *testing.B) {
	s, data := benchStore(b), make([]byte, 4<<10)
	for b.Loop() {
		if _, err := s.Put(b.Context(), bytes.NewReader(data), ""); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGet reads and verifies a blob.
func BenchmarkGet(b *testing.B) {
	s := benchStore(b)
	a, err := s.Put(b.Context(), bytes.NewReader(make([]byte, 16<<20)), "")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(a.Size)
	for b.Loop() {
		r, err := s.Get(b.Context(), a.Digest, a.Size)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCreate claims keys.
func BenchmarkCreate(b *testing.B) {
	s := benchStore(b)
	for b.Loop() {
		if err := s.Create(b.Context(), "claims/"+record.NewNonce(), []byte("x")); err != nil {
			b.Fatal(err)
		}
	}
}
