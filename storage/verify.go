package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"

	"gocloud.dev/blob"
)

// Get opens the blob with that digest. The reader verifies: it returns
// ErrCorrupt in place of io.EOF if the bytes or, unless size is negative, their
// number are not those asked for. A connection that breaks is taken up again
// where it broke.
func (s *Store) Get(ctx context.Context, digest string, size int64) (io.ReadCloser, error) {
	key, err := BlobKey(digest)
	if err != nil {
		return nil, err
	}
	v := &verifyingReader{s: s, ctx: ctx, key: key, want: digest, size: size, hash: sha256.New()}
	if err := v.open(); err != nil {
		return nil, err
	}
	if size >= 0 && v.total != size {
		defer v.r.Close()
		return nil, v.corrupt(fmt.Errorf("%d bytes, want %d", v.total, size))
	}
	return v, nil
}

type verifyingReader struct {
	s         *Store
	ctx       context.Context
	key, want string
	size      int64 // that the caller wants; negative: any
	total     int64 // that the store says
	r         io.ReadCloser
	hash      hash.Hash
	n         int64 // read so far
	resumed   int
	end       error
}

// open begins to read at offset n. It learns the blob's size.
func (v *verifyingReader) open() error {
	first := int64(-1)
	if v.s.driver.remote && v.size > 2*rangeSize {
		first = rangeSize
	}
	r, err := v.s.reader(v.ctx, "get", v.key, v.n, first)
	if first > 0 && httpStatus(err) == http.StatusRequestedRangeNotSatisfiable {
		// The blob is too short: read what there is to learn its size.
		first = -1
		r, err = v.s.reader(v.ctx, "get", v.key, 0, first)
	}
	if err != nil {
		return err
	}
	v.r, v.total = r, r.Size()
	if first > 0 && v.total == v.size {
		v.r = v.s.ranges(v.ctx, v.key, r, v.n, v.total)
	}
	return nil
}

// reader opens length bytes of an object from an offset on; a negative length
// means to its end. A try that opened it and counts as failed all the same
// leaves nothing open.
func (s *Store) reader(ctx context.Context, op, key string, offset, length int64) (*blob.Reader, error) {
	var r *blob.Reader
	drop := func() {
		if r != nil {
			_ = r.Close() // nothing was read of it
			r = nil
		}
	}
	err := s.try(ctx, op, key, func() (err error) {
		drop()
		r, err = s.bucket.NewRangeReader(ctx, key, offset, length, nil)
		return err
	})
	if err != nil {
		drop()
		return nil, err
	}
	return r, nil
}

func (v *verifyingReader) Read(p []byte) (int, error) {
	if v.end != nil {
		return 0, v.end
	}
	n, err := v.r.Read(p)
	v.hash.Write(p[:n])
	v.n += int64(n)
	if errors.Is(err, io.EOF) && v.n < v.total {
		err = fmt.Errorf("the reply ended after %d of %d bytes: %w", v.n, v.total, io.ErrUnexpectedEOF)
	}
	switch {
	case errors.Is(err, io.EOF):
		v.end = io.EOF
		if got := digestOf(v.hash); got != v.want {
			v.end = v.corrupt(fmt.Errorf("its bytes have digest %s, want %s", got, v.want))
		}
		return n, v.end
	case err != nil:
		return n, v.resume(wrap("get", v.key, err))
	case v.n > v.total:
		v.end = v.corrupt(fmt.Errorf("more than the %d bytes it should have", v.total))
		return n, v.end
	}
	return n, nil
}

// resume continues after a broken connection, as often as operations are tried.
func (v *verifyingReader) resume(cause error) error {
	v.end = cause
	if !errors.Is(cause, ErrTransient) || v.resumed+1 >= v.s.o.Tries {
		return cause
	}
	v.resumed++
	v.s.log.Debug("store: reading on after a failure", "key", v.key, "offset", v.n, "error", cause)
	broken := v.r
	if err := v.open(); err != nil {
		v.end = err
		return err
	}
	_ = broken.Close() // it failed already
	v.end = nil
	return nil
}

func (v *verifyingReader) corrupt(cause error) error {
	return v.s.corrupt(v.ctx, v.key, v.want, v.size, cause)
}

// corrupt judges a blob whose bytes are not those of the digest, or not of the
// size, that its reader wants, by a second fetch. Bytes that are wrong in the
// store are marked, so that the next Put of the blob replaces them; bytes that
// were wrong on their way only are a temporary failure; and a good blob of
// which the caller wants another size is not marked at all.
func (s *Store) corrupt(ctx context.Context, key, digest string, size int64, cause error) error {
	info, err := s.Stat(ctx, key)
	if err != nil {
		return err
	}
	got, n, err := s.digest(ctx, key)
	switch {
	case err != nil:
		return err
	case got == digest && size >= 0 && n != size:
		return &Error{Op: "get", Key: key, Class: ErrCorrupt, Err: fmt.Errorf("the blob is whole and has %d bytes; what refers to it says %d", n, size)}
	case got == digest:
		return &Error{Op: "get", Key: key, Class: ErrTransient, Err: fmt.Errorf("%w; a second fetch was right", cause)}
	}
	if err := s.WriteFile(ctx, quarantineKey(key), []byte(info.Version)); err != nil {
		s.log.Warn("store: could not mark a corrupt blob", "key", key, "error", err)
	}
	return &Error{Op: "get", Key: key, Class: ErrCorrupt, Err: cause}
}

// digest reads an object to its end and returns its digest and size.
func (s *Store) digest(ctx context.Context, key string) (digest string, size int64, err error) {
	err = s.try(ctx, "get", key, func() error {
		r, err := s.bucket.NewReader(ctx, key, nil)
		if err != nil {
			return err
		}
		defer r.Close()
		h := sha256.New()
		size, err = io.Copy(h, r)
		digest = digestOf(h)
		return err
	})
	return digest, size, err
}

func digestOf(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }

func (v *verifyingReader) Close() error { return v.r.Close() }

// Check reads a blob to its end and returns its size. The error is that of the
// verifying reader of Get.
func (s *Store) Check(ctx context.Context, digest string, size int64) (n int64, err error) {
	err = again(func() error {
		r, err := s.Get(ctx, digest, size)
		if err != nil {
			return err
		}
		defer r.Close()
		n, err = io.Copy(io.Discard, r)
		return err
	})
	return n, err
}
