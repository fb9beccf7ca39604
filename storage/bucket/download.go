package bucket

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// download is the transfer of one big object to a file. Its ranges come over
// several connections straight into the file, in any order and through small
// buffers; the hash reads from the file, in order, what the ranges wrote.
type download struct {
	b    *Bucket
	key  string
	size int64
	file *os.File
	// writing keeps those who write to the file apart: they would spin for the
	// inode's lock otherwise.
	writing sync.Mutex
	next    atomic.Int64    // the first range that nobody has begun
	done    []chan struct{} // closed when a range is in the file
	group   *errgroup.Group
}

// downloadConns is how many connections one download has at most. More fill
// faster networks, but what is hashed in order waits for the slowest of them.
const downloadConns = 8

// downloadBuffer is what one connection of a download holds in memory, and
// writes at once: more asks a virtual machine for memory that its host has taken
// back.
const downloadBuffer = 64 << 10

// ErrOtherSize is of an object that has not the size that its reader wants.
var ErrOtherSize = errors.New("another size")

// Download writes an object of that size to an empty file, which must be open
// for reading as well, over several connections. It returns the digest of what
// the file holds then. The error is ErrOtherSize if the object has not that
// size; after any error the file holds anything.
func (b *Bucket) Download(ctx context.Context, key string, size int64, file *os.File) (digest string, err error) {
	d := &download{b: b, key: key, size: size, file: file, done: make([]chan struct{}, (size+rangeSize-1)/rangeSize)}
	for i := range d.done {
		d.done[i] = make(chan struct{})
	}
	group, each := errgroup.WithContext(ctx)
	d.group = group
	group.Go(func() error { return d.fetch(each) })
	group.Go(func() (err error) {
		digest, err = d.hash(each)
		return err
	})
	err = group.Wait()
	return digest, err
}

// fetch fetches ranges until none is left. With the first ones others join it if
// the bucket's bound allows: so a download that gets nothing of the bound is no
// worse than a single stream, and no two downloads can wait for each other.
func (d *download) fetch(ctx context.Context) error {
	buf := make([]byte, downloadBuffer)
	for {
		i := d.next.Add(1) - 1
		if i >= int64(len(d.done)) {
			return nil
		}
		if i+1 < int64(min(len(d.done), downloadConns)) && d.b.ahead.TryAcquire(1) {
			d.group.Go(func() error {
				defer d.b.ahead.Release(1)
				return d.fetch(ctx)
			})
		}
		if err := d.fetchRange(ctx, i*rangeSize, buf); err != nil {
			return err
		}
		close(d.done[i])
	}
}

// fetchRange writes one range to the file.
func (d *download) fetchRange(ctx context.Context, from int64, buf []byte) error {
	var ours error // not the bucket's: trying again is no help
	length := min(rangeSize, d.size-from)
	err := d.b.try(ctx, "get", d.key, func() error {
		r, err := d.b.blobs.NewRangeReader(ctx, d.key, from, length, nil)
		if httpStatus(err) == http.StatusRequestedRangeNotSatisfiable {
			ours = fmt.Errorf("it ends before byte %d of %d: %w", from, d.size, ErrOtherSize)
			return nil
		}
		if err != nil {
			return err
		}
		defer r.Close()
		if r.Size() != d.size {
			ours = fmt.Errorf("%d bytes, want %d: %w", r.Size(), d.size, ErrOtherSize)
			return nil
		}
		for at := int64(0); at < length; {
			n, err := io.ReadFull(r, buf[:min(downloadBuffer, length-at)])
			if err != nil {
				return fmt.Errorf("range of %d bytes at %d: %w", length, from, err)
			}
			if ours = d.write(buf[:n], from+at); ours != nil {
				return nil
			}
			at += int64(n)
		}
		return nil
	})
	if ours != nil {
		return ours
	}
	return err
}

func (d *download) write(p []byte, at int64) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	_, err := d.file.WriteAt(p, at)
	return err
}

// hash returns the digest of the file's bytes as they come.
func (d *download) hash(ctx context.Context) (string, error) {
	h, buf := sha256.New(), make([]byte, downloadBuffer)
	for i, done := range d.done {
		select {
		case <-done:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		from := int64(i) * rangeSize
		r := io.NewSectionReader(d.file, from, min(rangeSize, d.size-from))
		if _, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{r}, buf); err != nil {
			return "", err
		}
	}
	return DigestOf(h), nil
}
