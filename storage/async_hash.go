package storage

import (
	"errors"
	"hash"
	"io"
	"sync"
)

const (
	// asyncBuffer is a buffer of a copy that hashes beside: small enough for the
	// bytes to be in the cache still when they are written.
	asyncBuffer = 256 << 10
	// asyncFrom bytes are worth a goroutine.
	asyncFrom = 1 << 20
)

// asyncHash hashes in a goroutine of its own what is written to it. Its buffers
// come from free and go back there once they are hashed.
type asyncHash struct {
	hash.Hash
	work, free chan []byte
	queued     sync.WaitGroup
}

func newAsyncHash(h hash.Hash) *asyncHash {
	const buffers = 4
	b := &asyncHash{Hash: h, work: make(chan []byte, buffers), free: make(chan []byte, buffers)}
	for range buffers {
		b.free <- make([]byte, asyncBuffer)
	}
	go func() {
		for p := range b.work {
			b.Hash.Write(p)
			b.queued.Done()
			b.free <- p[:cap(p)]
		}
	}()
	return b
}

// Write takes a part of a buffer, from its start.
func (b *asyncHash) Write(p []byte) (int, error) {
	b.queued.Add(1)
	b.work <- p
	return len(p), nil
}

// Sum waits for what was written.
func (b *asyncHash) Sum(in []byte) []byte {
	b.queued.Wait()
	return b.Hash.Sum(in)
}

// end stops the goroutine once all is hashed.
func (b *asyncHash) end() {
	b.queued.Wait()
	close(b.work)
}

// WriteTo writes what is left to w while it is hashed, on another core if
// there is one.
func (v *verifyingReader) WriteTo(w io.Writer) (written int64, err error) {
	w = struct{ io.Writer }{w}
	if left := v.r.Size() - v.n; left < asyncFrom {
		return io.CopyBuffer(w, struct{ io.Reader }{v}, make([]byte, max(left+1, 512)))
	}
	b := newAsyncHash(v.hash)
	v.hash = b
	defer func() {
		b.end()
		v.hash = b.Hash
	}()
	for {
		buf := <-b.free
		n, err := v.Read(buf)
		m, writeErr := w.Write(buf[:n])
		written += int64(m)
		switch {
		case writeErr != nil:
			return written, writeErr
		case errors.Is(err, io.EOF):
			return written, nil
		case err != nil:
			return written, err
		}
	}
}
