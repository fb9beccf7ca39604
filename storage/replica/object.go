package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/bucket"
)

// maxObject is the largest object but for blobs and released files, whose sizes are
// on record: a piece of a log, a report.
const maxObject = 256 << 20

// maxExclusive is the size up to which an object is written only where there is
// none yet: records, which runners of the target may write meanwhile, are smaller.
const maxExclusive = 1 << 20

// object copies what lies under key, if the target has not got it.
func (c *replication) object(ctx context.Context, key string) error {
	var err error
	if sum, ok := strings.CutPrefix(key, "blobs/sha256/"); ok {
		err = c.blob(ctx, key, "sha256:"+sum[strings.LastIndexByte(sum, '/')+1:])
	} else {
		err = c.named(ctx, key)
	}
	var bad *sourceError
	switch {
	case errors.As(err, &bad) && errors.Is(err, storage.ErrNotFound):
		return nil // deleted since it was listed
	case errors.As(err, &bad) && (storage.MissingOrDamaged(err) || errors.Is(err, storage.ErrUntrusted)):
		c.note(func(r *Report) { r.Damaged = append(r.Damaged, Damage{Key: key, Reason: bad.err.Error()}) })
		return nil
	}
	return err
}

// sourceError is a failure to read from the source.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

func source(err error) error {
	if err == nil {
		return nil
	}
	return &sourceError{err}
}

func corrupt(key, format string, args ...any) error {
	return source(&storage.Error{Op: "copy", Key: key, Class: storage.ErrCorrupt, Err: fmt.Errorf(format, args...)})
}

// blob copies what has its digest for a name.
func (c *replication) blob(ctx context.Context, key, digest string) error {
	info, err := c.from.Stat(ctx, key)
	if err != nil {
		return source(err)
	}
	if size, err := c.to.Has(ctx, digest); err == nil && size == info.Size {
		c.note(func(r *Report) { r.Present++ })
		return nil
	} else if err != nil && !storage.MissingOrDamaged(err) {
		return err
	}
	r, err := c.from.Get(ctx, digest, info.Size)
	if err != nil {
		return source(err)
	}
	defer r.Close()
	read := &reader{r: r}
	a, err := c.to.Put(ctx, read, "")
	if read.err != nil {
		return source(read.err)
	}
	if err != nil {
		return err
	}
	if a.Digest != digest {
		return corrupt(key, "its bytes have the digest %s", a.Digest)
	}
	c.note(func(r *Report) { r.Copied++; r.Bytes += a.Size })
	return nil
}

// reader tells a failure to read from a failure to write.
type reader struct {
	r   io.Reader
	err error
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// named copies what has a name of its own.
func (c *replication) named(ctx context.Context, key string) error {
	if record(key) {
		if _, _, err := c.from.Read(ctx, key); err != nil {
			return source(err)
		}
	}
	limit := int64(maxObject)
	e, published, err := c.published(ctx, key)
	if err != nil {
		return err
	}
	if published {
		limit = e.Size
	}
	content, file, err := c.spool(ctx, key, limit)
	if err != nil {
		return err
	}
	defer file.Close()
	if published && content.Digest != e.Digest {
		return corrupt(key, "its bytes have the digest %s, the release says %s", content.Digest, e.Digest)
	}
	there, _, err := c.to.Digest(ctx, key)
	switch {
	case errors.Is(err, storage.ErrNotFound):
	case err != nil:
		return err
	case there == content.Digest:
		c.note(func(r *Report) { r.Present++ })
		return nil
	case !c.o.Replace:
		c.note(func(r *Report) { r.Differing = append(r.Differing, key) })
		return nil
	}
	replaced := err == nil
	if replaced || content.Size > maxExclusive {
		err = c.to.Upload(ctx, key, content)
	} else if data, bad := io.ReadAll(io.NewSectionReader(file, 0, content.Size)); bad != nil {
		err = bad
	} else if err = c.to.WriteNew(ctx, key, data); errors.Is(err, storage.ErrExists) {
		c.note(func(r *Report) { r.Differing = append(r.Differing, key) })
		return nil
	}
	if err != nil {
		return err
	}
	c.note(func(r *Report) {
		r.Copied++
		r.Bytes += content.Size
		if replaced {
			r.Replaced++
		}
	})
	return nil
}

// record reports whether key holds a record, which has its own digest in it.
func record(key string) bool {
	return rank(key) == 2 || strings.HasPrefix(key, "tombstones/") || rank(key) >= 3 && strings.HasPrefix(key, "models/")
}

// spool brings an object of limit bytes at most into a file without a name. The
// caller closes it.
func (c *replication) spool(ctx context.Context, key string, limit int64) (*bucket.Content, *os.File, error) {
	r, err := c.from.OpenFile(ctx, key)
	if err != nil {
		return nil, nil, source(err)
	}
	defer r.Close()
	file, err := os.CreateTemp("", "sprint-copy-*")
	if err != nil {
		return nil, nil, fmt.Errorf("spool an object: %w", err)
	}
	// Without a name it is gone with its process, however that ends. Where an open
	// file keeps its name it goes at the end.
	if os.Remove(file.Name()) != nil {
		defer func() { _ = os.Remove(file.Name()) }()
	}
	read, scan := &reader{r: r}, bucket.NewScanner()
	n, err := io.Copy(io.MultiWriter(file, scan), io.LimitReader(read, limit+1))
	switch {
	case read.err != nil:
		err = source(read.err)
	case err == nil && n > limit:
		err = corrupt(key, "more than the %d bytes that it may have", limit)
	}
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return scan.Content(file), file, nil
}
