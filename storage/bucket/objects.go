package bucket

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// Info describes an object. Version changes with every write.
type Info struct {
	Key     string
	Size    int64 // bytes
	ModTime time.Time
	Version string
}

// Stat describes an object; ErrNotFound if there is none.
func (b *Bucket) Stat(ctx context.Context, key string) (Info, error) {
	if err := checkKey("stat", key); err != nil {
		return Info{}, err
	}
	return b.StatFile(ctx, key)
}

// StatFile is Stat of any object, whatever its key: of data that others put into
// a bucket.
func (b *Bucket) StatFile(ctx context.Context, key string) (info Info, err error) {
	err = b.retry(ctx, "stat", key, func() error {
		a, err := b.blobs.Attributes(ctx, key)
		if err != nil {
			return b.whyMissing(ctx, key, err)
		}
		info = Info{Key: key, Size: a.Size, ModTime: a.ModTime, Version: a.ETag}
		return nil
	})
	return info, err
}

// whyMissing finds out whether it is the object that a server does not know. Some answer
// the same to who asks with a key of theirs that they do not know, and S3's reply to HEAD
// has no body that tells. Who was known once is not asked about again.
func (b *Bucket) whyMissing(ctx context.Context, key string, err error) error {
	reply, ok := errors.AsType[smithy.APIError](err)
	if !ok || reply.ErrorCode() != "NotFound" || b.known.Load() {
		return err
	}
	r, told := b.blobs.NewRangeReader(ctx, key, 0, 1, nil)
	switch {
	case told == nil: // it was not there a moment ago
		_ = r.Close()
		return err
	case errors.Is(class(told), ErrNotFound):
		b.known.Store(true)
		return err
	}
	return told
}

// List yields the objects whose keys begin with prefix, in key order. It stops
// after the first error.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for o, err := range b.pages(ctx, &blob.ListOptions{Prefix: prefix}) {
			if err != nil {
				yield(Info{}, err)
				return
			}
			if !yield(Info{Key: o.Key, Size: o.Size, ModTime: o.ModTime}, nil) {
				return
			}
		}
	}
}

// Folders yields the names of the folders directly below prefix, which ends
// with a slash, in order. It stops after the first error.
func (b *Bucket) Folders(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for o, err := range b.pages(ctx, &blob.ListOptions{Prefix: prefix, Delimiter: "/"}) {
			if err != nil {
				yield("", err)
				return
			}
			if o.IsDir && !yield(strings.TrimSuffix(strings.TrimPrefix(o.Key, prefix), "/"), nil) {
				return
			}
		}
	}
}

// pages yields what a list holds, page by page.
func (b *Bucket) pages(ctx context.Context, o *blob.ListOptions) iter.Seq2[*blob.ListObject, error] {
	return func(yield func(*blob.ListObject, error) bool) {
		token := blob.FirstPageToken
		for n := 0; ; n++ {
			var page []*blob.ListObject
			var rest []byte
			err := b.retry(ctx, "list", o.Prefix, func() (err error) {
				page, rest, err = b.blobs.ListPage(ctx, token, b.pageSize(n), o)
				return err
			})
			if err != nil {
				yield(nil, err)
				return
			}
			for _, found := range page {
				if !yield(found, nil) {
					return
				}
			}
			if len(rest) == 0 {
				return
			}
			token = rest
		}
	}
}

// pageSize is how many objects the nth request of a list asks for: as many as
// servers give at most. A local folder is read whole for every page, so there
// are few; but most lists are short, and a page takes its memory at once.
func (b *Bucket) pageSize(n int) int {
	switch {
	case b.driver.remote:
		return 1000
	case n == 0:
		return 100
	}
	return 20_000
}

// Sweep removes an object. It is the only operation that needs the right to
// delete; a missing object is not an error.
func (b *Bucket) Sweep(ctx context.Context, key string) error {
	err := b.try(ctx, "sweep", key, func() error { return b.blobs.Delete(ctx, key) })
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// WriteFile stores data under key; the last writer wins. Records that decide
// something use Create or Swap.
func (b *Bucket) WriteFile(ctx context.Context, key string, data []byte) error {
	return b.try(ctx, "write", key, func() error {
		return b.blobs.WriteAll(ctx, key, data, nil)
	})
}

// WriteNew stores data under a key that must be free; else the error is
// ErrExists. It writes once: after a lost reply nobody can tell whether it
// landed. Records use Create, which can.
func (b *Bucket) WriteNew(ctx context.Context, key string, data []byte) error {
	if err := checkKey("create", key); err != nil {
		return err
	}
	if err := b.admit(ctx, "create", key); err != nil {
		return err
	}
	return wrap("create", key, b.blobs.WriteAll(ctx, key, data, &blob.WriterOptions{IfNotExist: true}))
}

// ReadFile returns the object under key, at most limit bytes; a bigger one is
// ErrCorrupt.
func (b *Bucket) ReadFile(ctx context.Context, key string, limit int64) ([]byte, error) {
	data, _, err := b.readAll(ctx, key, limit)
	return data, err
}

// readAll returns an object and the version that a conditional write takes.
func (b *Bucket) readAll(ctx context.Context, key string, limit int64) (data []byte, version string, err error) {
	err = b.try(ctx, "read", key, func() error {
		r, err := b.blobs.NewReader(ctx, key, nil)
		if err != nil {
			return err
		}
		defer r.Close()
		if r.Size() > limit {
			return &Error{Op: "read", Key: key, Class: ErrCorrupt, Err: fmt.Errorf("%d bytes, more than the %d that such an object may have", r.Size(), limit)}
		}
		if b.driver.version != nil {
			version = b.driver.version(r)
		}
		into := bytes.NewBuffer(make([]byte, 0, r.Size()+bytes.MinRead))
		_, err = into.ReadFrom(io.LimitReader(r, limit+1))
		data = into.Bytes()
		if b.driver.serial {
			version = serialVersion(data)
		}
		return err
	})
	return data, version, err
}

// OpenFile opens any object for reading, whatever its key, unverified: data that
// others put into a bucket. A connection that breaks is taken up again where it
// broke; the error is ErrStale if the object was replaced meanwhile. The caller
// closes the reader.
func (b *Bucket) OpenFile(ctx context.Context, key string) (io.ReadCloser, error) {
	r := &Reader{b: b, ctx: ctx, op: "open", key: key, wants: -1, pinned: true}
	if err := r.open(); err != nil {
		return nil, err
	}
	return r, nil
}

// Digest reads an object to its end and returns its digest and size.
func (b *Bucket) Digest(ctx context.Context, key string) (digest string, size int64, err error) {
	err = b.try(ctx, "get", key, func() error {
		r, err := b.blobs.NewReader(ctx, key, nil)
		if err != nil {
			return err
		}
		defer r.Close()
		h := sha256.New()
		size, err = io.Copy(h, r)
		digest = DigestOf(h)
		return err
	})
	return digest, size, err
}

// DigestOf returns the digest that a SHA-256 hash has computed: "sha256:" and 64
// hex digits.
func DigestOf(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }

// Copy puts an object of that size under a second key; a remote bucket moves the
// bytes itself.
func (b *Bucket) Copy(ctx context.Context, to, from string, size int64) error {
	return b.try(ctx, "copy", to, func() error {
		if b.bulk != nil {
			return b.bulk.copy(ctx, to, from, size)
		}
		return b.blobs.Copy(ctx, to, from, nil)
	})
}

// Address is a URL from which whoever has it can read an object for so long, without
// any credentials. It fails with errors.ErrUnsupported where the bucket's server
// hands none out, or the credentials cannot sign. It does not look whether the object
// is there.
func (b *Bucket) Address(ctx context.Context, key string, valid time.Duration) (address string, err error) {
	if err := checkKey("sign an address of", key); err != nil {
		return "", err
	}
	err = b.retry(ctx, "sign an address of", key, func() (err error) {
		address, err = b.blobs.SignedURL(ctx, key, &blob.SignedURLOptions{Method: http.MethodGet, Expiry: valid})
		return err
	})
	if told, ok := errors.AsType[*Error](err); ok && gcerrors.Code(told.Err) == gcerrors.Unimplemented {
		return "", fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
	}
	return address, err
}
