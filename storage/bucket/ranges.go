package bucket

import (
	"bytes"
	"context"
	"fmt"
	"io"
)

const (
	// rangeSize is what one request of a parallel download asks for.
	rangeSize = 8 << 20
	// rangesAhead bounds the ranges that a bucket holds in memory, whatever the
	// number of its readers: 128 MiB.
	rangesAhead = 16
)

// ranges reads an object in order over several connections. The range that is
// due comes straight from its connection; those after it are fetched into
// memory as far as the bucket's bound allows. So a reader that gets nothing of
// the bound, or whose consumer is slow, is no worse than a single stream, and
// no two readers can wait for each other.
type ranges struct {
	b      *Bucket
	ctx    context.Context
	cancel context.CancelFunc
	key    string
	size   int64 // of the object

	due   io.Reader // the range being delivered
	left  int64     // bytes of it to come
	conn  io.Closer // of due, if it comes from a connection
	held  []byte    // of due, if it was fetched ahead
	at    int64     // end of the range being delivered
	next  int64     // start of the first range that nobody has asked for
	ahead []*part   // in order; the first begins at at
	spare [][]byte
}

// part is one range that is fetched ahead.
type part struct {
	data []byte
	err  error
	done chan struct{}
}

// ranges takes over a reader of the object's bytes from offset on, at most
// rangeSize of them.
func (b *Bucket) ranges(ctx context.Context, key string, first io.ReadCloser, offset, size int64) io.ReadCloser {
	end := min(offset+rangeSize, size)
	r := &ranges{b: b, key: key, size: size, due: first, left: end - offset, conn: first, at: end, next: end}
	r.ctx, r.cancel = context.WithCancel(ctx)
	r.ask()
	return r
}

// ask begins to fetch the next ranges.
func (r *ranges) ask() {
	for r.next < r.size && r.b.ahead.TryAcquire(1) {
		n := min(rangeSize, r.size-r.next)
		p := &part{done: make(chan struct{})}
		if i := len(r.spare) - 1; i >= 0 {
			p.data, r.spare = r.spare[i][:n], r.spare[:i]
		} else {
			p.data = make([]byte, n, rangeSize)
		}
		r.ahead = append(r.ahead, p)
		go func(from int64) {
			defer close(p.done)
			p.err = r.b.readRange(r.ctx, r.key, from, p.data)
		}(r.next)
		r.next += n
	}
}

// readRange fills data with an object's bytes from an offset on.
func (b *Bucket) readRange(ctx context.Context, key string, from int64, data []byte) error {
	return b.try(ctx, "get", key, func() error {
		r, err := b.blobs.NewRangeReader(ctx, key, from, int64(len(data)), nil)
		if err != nil {
			return err
		}
		defer r.Close()
		if _, err = io.ReadFull(r, data); err != nil {
			return fmt.Errorf("range of %d bytes at %d: %w", len(data), from, err)
		}
		return nil
	})
}

func (r *ranges) Read(p []byte) (int, error) {
	for r.left == 0 {
		if r.at >= r.size {
			return 0, io.EOF
		}
		if err := r.advance(); err != nil {
			return 0, err
		}
	}
	n, err := r.due.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	if err == io.EOF {
		if err = nil; r.left > 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

// advance makes the next range the one that is due.
func (r *ranges) advance() error {
	r.drop()
	if len(r.ahead) == 0 {
		n := min(rangeSize, r.size-r.at)
		from, err := r.b.openRange(r.ctx, "get", r.key, r.at, n)
		if err != nil {
			return err
		}
		r.due, r.conn, r.left = from, from, n
		r.at += n
		r.next = r.at
		r.ask()
		return nil
	}
	p := r.ahead[0]
	<-p.done // its context ends with this reader's
	if p.err != nil {
		return p.err
	}
	r.ahead = r.ahead[1:]
	r.due, r.left, r.held = bytes.NewReader(p.data), int64(len(p.data)), p.data
	r.at += r.left
	return nil
}

// drop ends the range that was delivered.
func (r *ranges) drop() {
	if r.conn != nil {
		_ = r.conn.Close() // all of it was read, or it failed already
		r.conn = nil
	}
	if r.held != nil {
		r.b.ahead.Release(1)
		r.spare = append(r.spare, r.held[:0])
		r.held = nil
		r.ask()
	}
}

// Close gives back what is held.
func (r *ranges) Close() error {
	r.cancel()
	r.next = r.size // ask for no more
	r.drop()
	for _, p := range r.ahead {
		<-p.done
		r.b.ahead.Release(1)
	}
	r.ahead = nil
	return nil
}
