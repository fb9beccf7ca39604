package storage

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/sprint-ml/sprint/storage/bucket"
)

// Get opens the blob with that digest. The reader verifies: it returns
// ErrCorrupt in place of io.EOF if the bytes or, unless size is negative, their
// number are not those asked for. A connection that breaks is taken up again
// where it broke. The caller closes the reader.
func (s *Store) Get(ctx context.Context, digest string, size int64) (io.ReadCloser, error) {
	key, err := BlobKey(digest)
	if err != nil {
		return nil, err
	}
	r, err := s.NewReader(ctx, key, size)
	if err != nil {
		return nil, err
	}
	v := &verifyingReader{s: s, ctx: ctx, key: key, want: digest, size: size, r: r, hash: sha256.New()}
	if size >= 0 && r.Size() != size {
		defer r.Close()
		return nil, v.corrupt(fmt.Errorf("%d bytes, want %d", r.Size(), size))
	}
	return v, nil
}

// ErrLarge says that a blob has more bytes than its reader takes.
var ErrLarge = errors.New("more bytes than are read at once")

// ReadBlob returns the bytes of a blob of that size (negative: any). One with more than most
// bytes is ErrLarge; other errors are those of Get and of its reader, of which a temporary one
// is asked once more.
func (s *Store) ReadBlob(ctx context.Context, digest string, size, most int64) (data []byte, err error) {
	if size <= most {
		err = again(func() error {
			r, err := s.Get(ctx, digest, size)
			if err != nil {
				return err
			}
			defer r.Close()
			data, err = io.ReadAll(io.LimitReader(r, most+1))
			return err
		})
	}
	switch {
	case err != nil:
		return nil, err
	case size > most || int64(len(data)) > most:
		return nil, fmt.Errorf("blob %s: %w: %d at most", digest, ErrLarge, most)
	}
	return data, nil
}

// verifyingReader is the reader of Get.
type verifyingReader struct {
	s         *Store
	ctx       context.Context
	key, want string
	size      int64 // that the caller wants; negative: any
	r         *bucket.Reader
	hash      hash.Hash
	n         int64 // bytes read so far
	end       error // of the last Read, for the next ones
}

// Read implements io.Reader.
func (v *verifyingReader) Read(p []byte) (int, error) {
	if v.end != nil {
		return 0, v.end
	}
	n, err := v.r.Read(p)
	v.hash.Write(p[:n])
	v.n += int64(n)
	switch {
	case errors.Is(err, io.EOF):
		v.end = io.EOF
		if got := bucket.DigestOf(v.hash); got != v.want {
			v.end = v.corrupt(fmt.Errorf("its bytes have digest %s, want %s", got, v.want))
		}
	case err != nil:
		v.end = err
	case v.n > v.r.Size():
		v.end = v.corrupt(fmt.Errorf("more than the %d bytes it should have", v.r.Size()))
	}
	return n, v.end
}

func (v *verifyingReader) corrupt(cause error) error {
	return v.s.corrupt(v.ctx, v.key, v.want, v.size, cause)
}

// corrupt finds out about a blob whose bytes are not those of the digest, or not of the
// size, that its reader wants, by a second fetch. Bytes that are wrong in the
// store are marked, so that the next Put of the blob replaces them; bytes that
// were wrong on their way only are a temporary failure; and a good blob of
// which the caller wants another size is not marked at all.
func (s *Store) corrupt(ctx context.Context, key, digest string, size int64, cause error) error {
	info, err := s.Stat(ctx, key)
	if err != nil {
		return err
	}
	got, n, err := s.Digest(ctx, key)
	switch {
	case err != nil:
		return err
	case got == digest && size >= 0 && n != size:
		return &Error{Op: "get", Key: key, Class: ErrCorrupt, Err: fmt.Errorf("the blob is whole and has %d bytes; what refers to it says %d", n, size)}
	case got == digest:
		return &Error{Op: "get", Key: key, Class: ErrTransient, Err: fmt.Errorf("%w; a second fetch was right", cause)}
	}
	if err := s.WriteFile(ctx, quarantineKey(key), []byte(info.Version)); err != nil {
		s.Logger().Warn("store: could not mark a corrupt blob", "key", key, "error", err)
	}
	return &Error{Op: "get", Key: key, Class: ErrCorrupt, Err: cause}
}

func (v *verifyingReader) Close() error { return v.r.Close() }

// Verify reads a blob to its end and returns its size. The error is that of the
// verifying reader of Get.
func (s *Store) Verify(ctx context.Context, digest string, size int64) (n int64, err error) {
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
