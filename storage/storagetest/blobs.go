package storagetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage"
)

func testBlobs(t *testing.T, h Harness) {
	ctx := testContext(t)
	puts := 0
	s := h.Open(t, &storage.Options{Around: func(_ context.Context, op, _ string, call func() error) error {
		if op == "put" {
			puts++
		}
		return call()
	}})
	for _, size := range []int{0, 1, 100, 4<<20 + 7} {
		data := random(uint64(size), size)
		_, err := s.Has(ctx, digest(data))
		want(t, err, storage.ErrNotFound)
		_, err = s.Get(ctx, digest(data), -1)
		want(t, err, storage.ErrNotFound, "blobs/sha256/")
		a := put(t, s, data)
		if a.Digest != digest(data) || a.Size != int64(size) || a.Media != "text/plain" {
			t.Errorf("%d bytes: artifact %+v", size, a)
		}
		for _, s := range []*storage.Store{s, second(t, s)} {
			got, err := get(ctx, s, a.Digest, a.Size)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes: read %d bytes, %v", size, len(got), err)
			}
			if n, err := s.Has(ctx, a.Digest); err != nil || n != a.Size {
				t.Errorf("%d bytes: has %d, %v", size, n, err)
			}
		}
		puts = 0
		if again := put(t, s, data); again != a || puts != 0 {
			t.Errorf("%d bytes: the second put gave %+v and sent %d times", size, again, puts)
		}
	}
	before := len(keys(t, s, ""))
	w := s.NewWriter(ctx, "text/plain")
	_, err := w.Write(random(3, 5<<20))
	check(t, err)
	w.Abort()
	if _, err := w.Commit(); err == nil {
		t.Error("commit after abort succeeded")
	}
	if after := len(keys(t, s, "")); after != before {
		t.Errorf("an aborted artifact left %d objects", after-before)
	}
	for _, bad := range []string{"", "sha256:", "sha256:" + strings.Repeat("A", 64), "md5:" + strings.Repeat("0", 32), "sha256:../" + strings.Repeat("0", 61)} {
		if _, err := s.Get(ctx, bad, -1); err == nil || errors.Is(err, storage.ErrNotFound) {
			t.Errorf("digest %q: %v", bad, err)
		}
	}
}

// testBlobWhole: a blob of as many bytes as may be read at once is read and verified, and of a
// larger one the error names the blob and the limit.
func testBlobWhole(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	data := random(8, 10_000)
	a := put(t, s, data)
	for _, size := range []int64{a.Size, -1} {
		got, err := s.ReadBlob(ctx, a.Digest, size, a.Size)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("size %d: read %d bytes, %v", size, len(got), err)
		}
		got, err = s.ReadBlob(ctx, a.Digest, size, a.Size-1)
		want(t, err, storage.ErrLarge, a.Digest, "9999")
		if got != nil {
			t.Errorf("size %d: %d bytes of a blob that is too large", size, len(got))
		}
	}
	_, err := s.ReadBlob(ctx, digest([]byte("gone")), -1, 10)
	want(t, err, storage.ErrNotFound)
	key, err := storage.BlobKey(a.Digest)
	check(t, err)
	check(t, s.WriteFile(ctx, key, damage["flip"](data)))
	_, err = s.ReadBlob(ctx, a.Digest, a.Size, a.Size)
	want(t, err, storage.ErrCorrupt, key)
}

// damage lists the ways bytes go bad.
var damage = map[string]func([]byte) []byte{
	"flip":   func(b []byte) []byte { b = bytes.Clone(b); b[len(b)/2] ^= 4; return b },
	"cut":    func(b []byte) []byte { return b[:len(b)-1] },
	"empty":  func([]byte) []byte { return nil },
	"extend": func(b []byte) []byte { return append(bytes.Clone(b), 0) },
	"swap":   func(b []byte) []byte { return random(99, len(b)) },
}

func testBlobCorrupt(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	for name, change := range damage {
		t.Run(name, func(t *testing.T) {
			data := random(7, 100_000)
			a := put(t, s, data)
			key, err := storage.BlobKey(a.Digest)
			check(t, err)
			for range 2 { // a blob can go bad again after a repair
				check(t, s.WriteFile(ctx, key, change(data)))
				for _, size := range []int64{a.Size, -1} {
					_, err = get(ctx, s, a.Digest, size)
					want(t, err, storage.ErrCorrupt, key)
				}
				if n, err := second(t, s).Has(ctx, a.Digest); !errors.Is(err, storage.ErrCorrupt) {
					t.Errorf("after the read: has %d, %v", n, err)
				}
				put(t, s, data)
				got, err := get(ctx, s, a.Digest, a.Size)
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("after the repair: %d bytes, %v", len(got), err)
				}
				if n, err := s.Has(ctx, a.Digest); err != nil || n != a.Size {
					t.Errorf("after the repair: has %d, %v", n, err)
				}
			}
		})
	}
}

// testBlobRepair: a disk behind a server that answers with the version it
// computed at the upload gives a corrupt blob the version of the good one. The
// mark of a reader must not outlive the repair then.
func testBlobRepair(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	data := random(10, 1000)
	a := put(t, s, data)
	key, err := storage.BlobKey(a.Digest)
	check(t, err)
	info, err := s.Stat(ctx, key)
	check(t, err)
	check(t, s.WriteFile(ctx, strings.Replace(key, "blobs/", "quarantine/", 1), []byte(info.Version)))
	_, err = s.Has(ctx, a.Digest)
	want(t, err, storage.ErrCorrupt, key)
	put(t, s, data)
	if n, err := s.Has(ctx, a.Digest); err != nil || n != a.Size {
		t.Errorf("after the repair: has %d, %v", n, err)
	}
}

// testBlobSize: a wrong size in a reference says nothing against the blob.
func testBlobSize(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	a := put(t, s, random(8, 1000))
	for _, size := range []int64{0, 999, 1001} {
		_, err := get(ctx, s, a.Digest, size)
		want(t, err, storage.ErrCorrupt, "1000")
	}
	if n, err := s.Has(ctx, a.Digest); err != nil || n != 1000 {
		t.Errorf("has %d, %v", n, err)
	}
}

type failingReader struct{ r io.Reader }

var errSource = errors.New("the source broke")

func (f failingReader) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err == io.EOF {
		err = errSource
	}
	return n, err
}

func testBlobCancel(t *testing.T, h Harness) {
	s := h.Open(t, nil)
	data := random(9, 1<<20)
	if _, err := s.Put(testContext(t), failingReader{bytes.NewReader(data)}, ""); !errors.Is(err, errSource) {
		t.Errorf("put from a broken source: %v", err)
	}
	ctx, cancel := context.WithCancel(testContext(t))
	w := s.NewWriter(ctx, "")
	_, err := w.Write(data)
	check(t, err)
	cancel()
	if _, err := w.Commit(); !errors.Is(err, context.Canceled) {
		t.Errorf("commit after cancel: %v", err)
	}
	if left := keys(t, s, ""); len(left) != 0 {
		t.Errorf("left %q", left)
	}
}
