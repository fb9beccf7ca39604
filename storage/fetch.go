package storage

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// fetchFile writes a blob to a new file of root; there is none after an error.
func (s *Store) fetchFile(ctx context.Context, root *os.Root, e TreeEntry) error {
	if d := path.Dir(e.Path); d != "." {
		if err := root.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	f, err := root.OpenFile(e.Path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	err = s.FetchFile(ctx, e.Digest, e.Size, f)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = root.Remove(e.Path) // half a file must not be taken for a whole one
	}
	return err
}

// FetchFile writes a blob of that size (negative: any) to an empty file, which
// must be open for reading as well. After an error the file holds anything. The errors are those
// of Get and of its reader; ErrTransient says that bytes changed on their way.
func (s *Store) FetchFile(ctx context.Context, digest string, size int64, f *os.File) error {
	if s.driver.remote && size > 2*rangeSize {
		return s.fetchRanges(ctx, digest, size, f)
	}
	r, err := s.Get(ctx, digest, size)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(f, r)
	return err
}

// fetch is the download of one big blob. Its ranges come over several
// connections straight into the file, in any order and through small buffers;
// what is hashed is what the file holds then, in order, behind them.
type fetch struct {
	s    *Store
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

// fetchConns is how many connections one download has at most. More fill faster
// networks, but what is hashed in order waits for the slowest of them.
const fetchConns = 8

// fetchBuffer is what one connection of a download holds in memory, and writes
// at once: more asks a virtual machine for memory that its host has taken back.
const fetchBuffer = 64 << 10

// errOtherSize is of a blob that has not the size that its reader wants.
var errOtherSize = errors.New("another size")

func (s *Store) fetchRanges(ctx context.Context, digest string, size int64, file *os.File) error {
	key, err := BlobKey(digest)
	if err != nil {
		return err
	}
	f := &fetch{s: s, key: key, size: size, file: file, done: make([]chan struct{}, (size+rangeSize-1)/rangeSize)}
	for i := range f.done {
		f.done[i] = make(chan struct{})
	}
	var got string
	group, each := errgroup.WithContext(ctx)
	f.group = group
	group.Go(func() error { return f.fetch(each) })
	group.Go(func() (err error) {
		got, err = f.hash(each)
		return err
	})
	err = group.Wait()
	switch {
	case errors.Is(err, errOtherSize):
		return s.corrupt(ctx, key, digest, size, err)
	case err != nil:
		return err
	case got != digest:
		return s.corrupt(ctx, key, digest, size, fmt.Errorf("its bytes have digest %s, want %s", got, digest))
	}
	return nil
}

// fetch fetches ranges until none is left. With the first ones others join it if
// the store's bound allows: so a download that gets nothing of the bound is no
// worse than a single stream, and no two downloads can wait for each other.
func (f *fetch) fetch(ctx context.Context) error {
	buf := make([]byte, fetchBuffer)
	for {
		i := f.next.Add(1) - 1
		if i >= int64(len(f.done)) {
			return nil
		}
		if i+1 < int64(min(len(f.done), fetchConns)) {
			select {
			case f.s.ahead <- struct{}{}:
				f.group.Go(func() error {
					defer func() { <-f.s.ahead }()
					return f.fetch(ctx)
				})
			default:
			}
		}
		if err := f.fetchRange(ctx, i*rangeSize, buf); err != nil {
			return err
		}
		close(f.done[i])
	}
}

// fetchRange writes one range to the file.
func (f *fetch) fetchRange(ctx context.Context, from int64, buf []byte) error {
	var ours error // not the store's: trying again is no help
	length := min(rangeSize, f.size-from)
	err := f.s.try(ctx, "get", f.key, func() error {
		r, err := f.s.bucket.NewRangeReader(ctx, f.key, from, length, nil)
		if httpStatus(err) == http.StatusRequestedRangeNotSatisfiable {
			ours = fmt.Errorf("it ends before byte %d of %d: %w", from, f.size, errOtherSize)
			return nil
		}
		if err != nil {
			return err
		}
		defer r.Close()
		if r.Size() != f.size {
			ours = fmt.Errorf("%d bytes, want %d: %w", r.Size(), f.size, errOtherSize)
			return nil
		}
		for at := int64(0); at < length; {
			n, err := io.ReadFull(r, buf[:min(fetchBuffer, length-at)])
			if err != nil {
				return fmt.Errorf("range of %d bytes at %d: %w", length, from, err)
			}
			if ours = f.write(buf[:n], from+at); ours != nil {
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

func (f *fetch) write(p []byte, at int64) error {
	f.writing.Lock()
	defer f.writing.Unlock()
	_, err := f.file.WriteAt(p, at)
	return err
}

// hash returns the digest of the file's bytes as they come.
func (f *fetch) hash(ctx context.Context) (string, error) {
	h, buf := sha256.New(), make([]byte, fetchBuffer)
	for i, done := range f.done {
		select {
		case <-done:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		from := int64(i) * rangeSize
		r := io.NewSectionReader(f.file, from, min(rangeSize, f.size-from))
		if _, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{r}, buf); err != nil {
			return "", err
		}
	}
	return digestOf(h), nil
}
