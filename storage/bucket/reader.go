package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"gocloud.dev/blob"
)

// Reader reads an object from its start to its end. A connection that breaks is
// taken up again where it broke, as often as operations are tried. What it reads
// is unverified. It is for one goroutine.
type Reader struct {
	b       *Bucket
	ctx     context.Context
	op, key string
	wants   int64 // bytes that the caller expects; negative: any number
	size    int64 // bytes that the bucket says
	r       io.ReadCloser
	n       int64 // bytes read so far
	resumed int
	err     error // of the last Read, for the next ones
	pinned  bool  // all bytes must be of one version
	version string
}

// NewReader opens an object whose size the caller expects to be wants; negative
// if it does not know. Size says what it is. A big object of a remote bucket
// comes over several connections if it has that size. The caller closes the
// reader.
func (b *Bucket) NewReader(ctx context.Context, key string, wants int64) (*Reader, error) {
	if err := checkKey("get", key); err != nil {
		return nil, err
	}
	r := &Reader{b: b, ctx: ctx, op: "get", key: key, wants: wants}
	if err := r.open(); err != nil {
		return nil, err
	}
	return r, nil
}

// Size is the size of the whole object in bytes, as the bucket says it.
func (r *Reader) Size() int64 { return r.size }

// Parallel reports whether an object of that size is worth several connections.
func (b *Bucket) Parallel(size int64) bool { return b.driver.remote && size > 2*rangeSize }

// open begins to read at offset n. It learns the object's size.
func (r *Reader) open() error {
	first := int64(-1)
	if r.b.Parallel(r.wants) {
		first = rangeSize
	}
	from, err := r.b.openRange(r.ctx, r.op, r.key, r.n, first)
	if first > 0 && httpStatus(err) == http.StatusRequestedRangeNotSatisfiable {
		// The object is too short: read what there is to learn its size.
		first = -1
		from, err = r.b.openRange(r.ctx, r.op, r.key, 0, first)
	}
	if err != nil {
		return err
	}
	if r.pinned && r.b.driver.version != nil {
		now := r.b.driver.version(from)
		if r.n > 0 && now != r.version {
			_ = from.Close() // nothing was read of it
			return &Error{Op: r.op, Key: r.key, Class: ErrStale, Err: errors.New("it was replaced while it was read")}
		}
		r.version = now
	}
	r.r, r.size = from, from.Size()
	if first > 0 && r.size == r.wants {
		r.r = r.b.ranges(r.ctx, r.key, from, r.n, r.size)
	}
	return nil
}

// openRange opens length bytes of an object from an offset on; a negative length
// means to its end. A try that opened it and counts as failed all the same
// leaves nothing open.
func (b *Bucket) openRange(ctx context.Context, op, key string, offset, length int64) (*blob.Reader, error) {
	var r *blob.Reader
	drop := func() {
		if r != nil {
			_ = r.Close() // nothing was read of it
			r = nil
		}
	}
	err := b.retry(ctx, op, key, func() (err error) {
		drop()
		r, err = b.blobs.NewRangeReader(ctx, key, offset, length, nil)
		return err
	})
	if err != nil {
		drop()
		return nil, err
	}
	return r, nil
}

// Read implements io.Reader. io.EOF means that Size bytes were read.
func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.r.Read(p)
	r.n += int64(n)
	if errors.Is(err, io.EOF) && r.n < r.size {
		err = fmt.Errorf("the reply ended after %d of %d bytes: %w", r.n, r.size, io.ErrUnexpectedEOF)
	}
	switch {
	case errors.Is(err, io.EOF):
		r.err = io.EOF
		return n, r.err
	case err != nil:
		return n, r.resume(wrap(r.op, r.key, err))
	}
	return n, nil
}

// resume continues after a broken connection.
func (r *Reader) resume(cause error) error {
	r.err = cause
	if !errors.Is(cause, ErrTransient) || r.resumed+1 >= r.b.o.Tries {
		return cause
	}
	r.resumed++
	r.b.o.Log.Debug("store: reading on after a failure", "key", r.key, "offset", r.n, "error", cause)
	broken := r.r
	if err := r.open(); err != nil {
		r.err = err
		return err
	}
	_ = broken.Close() // it failed already
	r.err = nil
	return nil
}

// Close ends the connections of the reader.
func (r *Reader) Close() error { return r.r.Close() }
