// Package storage keeps artifacts, manifests and records of runs in a blob
// store: a local folder, S3, GCS or memory. Content is addressed by its digest
// and verified on every read; what decides a race is one exclusive create. The
// rules and the measurements behind them hold for all drivers, and the suite
// in storagetest checks each of them.
package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/storage/localblob"
	"gocloud.dev/blob"
)

// Options of Open. The zero value is ready to use.
type Options struct {
	Log *slog.Logger
	// Around wraps every single operation on the bucket: fault injection and
	// tracing stack here. nil calls the operation.
	Around func(ctx context.Context, op, key string, call func() error) error
	// Tries caps the tries of an operation that fails transiently; 0 means 5.
	Tries int
	// Backoff is the wait before the second try, doubled for each further one;
	// 0 means 100 ms.
	Backoff time.Duration
}

// Store is a blob store. It is safe for concurrent use.
type Store struct {
	bucket *blob.Bucket
	mover  mover // nil: streams and the bucket's own copy
	conns  *conns
	driver driver
	scheme string
	url    string
	open   string // as given to Open: the worker's argument
	log    *slog.Logger
	o      Options
	serial sync.Mutex    // conditional writes of drivers that have none
	ahead  chan struct{} // one element for each range in memory
	folder string        // of a local store
	watch  sweepWatch
}

// Open opens the store at a URL (file://, mem://, s3://, gs://) or folder.
// A path after the bucket's name becomes a prefix of all keys.
func Open(ctx context.Context, rawURL string, o *Options) (*Store, error) {
	if o == nil {
		o = &Options{}
	}
	u, d, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	s := &Store{driver: d, scheme: u.Scheme, url: redact(rawURL), open: rawURL, log: o.Log, o: *o, ahead: make(chan struct{}, rangesAhead)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.o.Tries == 0 {
		s.o.Tries = 5
	}
	if s.o.Backoff == 0 {
		s.o.Backoff = 100 * time.Millisecond
	}
	b, err := d.open(ctx, u)
	if err != nil {
		err = wrap("open", s.url, err)
		if own := (*Error)(nil); errors.As(err, &own) && errors.Is(own.Class, ErrTransient) {
			// Nothing was sent yet: what fails here is the URL or the folder.
			own.Class = ErrInvalid
		}
		return nil, err
	}
	s.bucket, s.mover, s.conns = b.Bucket, b.mover, b.conns
	if prefix := keyPrefix(u); prefix != "" {
		s.bucket = blob.PrefixedBucket(s.bucket, prefix)
	}
	if u.Scheme == "file" {
		if s.folder, err = filepath.Abs(filepath.FromSlash(u.Path)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func keyPrefix(u *url.URL) string {
	if u.Scheme == "file" || u.Scheme == "mem" {
		return ""
	}
	p := strings.Trim(u.Path, "/")
	if p == "" {
		return ""
	}
	return p + "/"
}

// ValidKey reports whether key may name an object of a store: the alphabet that
// every driver keeps apart on every file system.
func ValidKey(key string) bool { return localblob.ValidKey(key) }

// Close ends the connections.
func (s *Store) Close() error {
	err := s.bucket.Close()
	if s.conns != nil {
		s.conns.hangUp()
	}
	return err
}

// URL names the store in messages: secrets are stripped.
func (s *Store) URL() string { return s.url }

// Source is the URL that opens the same store again, as it was given to Open.
// It may hold secrets; URL is for messages.
func (s *Store) Source() string { return s.open }

// Local reports whether only this process sees the store (mem://).
func (s *Store) Local() bool { return s.scheme == "mem" }

// Remote reports whether every answer of the store takes a journey.
func (s *Store) Remote() bool { return s.driver.remote }

// try runs one operation, again if it fails transiently. This is the only
// place of the store that retries.
func (s *Store) try(ctx context.Context, op, key string, call func() error) error {
	if op != "list" && op != "open" && !ValidKey(key) {
		return &Error{Op: op, Key: key, Class: ErrInvalid, Err: errors.New("keys are [a-z0-9._/-], at most 512 bytes, and no segment is empty or begins with a dot")}
	}
	wait := s.o.Backoff
	for n := 1; ; n++ {
		// A cancelled caller must not change anything any more.
		if err := ctx.Err(); err != nil {
			return err
		}
		once := call
		if s.o.Around != nil {
			once = func() error { return s.o.Around(ctx, op, key, call) }
		}
		err := once()
		if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			// A time limit inside the client is the store's failure, not the
			// caller's wish.
			err = &Error{Op: op, Key: key, Class: ErrTransient, Err: errors.New(err.Error())}
		}
		err = wrap(op, key, err)
		if !errors.Is(err, ErrTransient) || n >= s.o.Tries {
			return err
		}
		s.log.Debug("store: trying again", "op", op, "key", key, "try", n, "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait/2 + rand.N(wait)):
		}
		wait = min(2*wait, 10*time.Second)
	}
}

// Stat describes an object; ErrNotFound if there is none.
func (s *Store) Stat(ctx context.Context, key string) (Info, error) {
	var info Info
	err := s.try(ctx, "stat", key, func() error {
		a, err := s.bucket.Attributes(ctx, key)
		if err != nil {
			return err
		}
		info = Info{Key: key, Size: a.Size, ModTime: a.ModTime, Version: a.ETag}
		return nil
	})
	return info, err
}

// List yields the objects whose keys begin with prefix, in key order. It stops
// after the first error.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		token := blob.FirstPageToken
		for n := 0; ; n++ {
			var page []*blob.ListObject
			var rest []byte
			err := s.try(ctx, "list", prefix, func() error {
				objects, next, err := s.bucket.ListPage(ctx, token, s.page(n), &blob.ListOptions{Prefix: prefix})
				page, rest = objects, next
				return err
			})
			if err != nil {
				yield(Info{}, err)
				return
			}
			for _, o := range page {
				if !yield(Info{Key: o.Key, Size: o.Size, ModTime: o.ModTime}, nil) {
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

// page is how many objects the nth request of a list asks for: as many as
// servers give at most. A local folder is read whole for every page, so there
// are few; but most lists are short, and a page takes its memory at once.
func (s *Store) page(n int) int {
	switch {
	case s.driver.remote:
		return 1000
	case n == 0:
		return 100
	}
	return 20_000
}

// Folders yields the names of the folders directly below prefix, which ends
// with a slash, in order.
func (s *Store) Folders(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		token := blob.FirstPageToken
		for n := 0; ; n++ {
			var page []*blob.ListObject
			var rest []byte
			err := s.try(ctx, "list", prefix, func() error {
				objects, next, err := s.bucket.ListPage(ctx, token, s.page(n), &blob.ListOptions{Prefix: prefix, Delimiter: "/"})
				page, rest = objects, next
				return err
			})
			if err != nil {
				yield("", err)
				return
			}
			for _, o := range page {
				if o.IsDir && !yield(strings.TrimSuffix(strings.TrimPrefix(o.Key, prefix), "/"), nil) {
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

// Sweep removes an object. It is the only operation that needs the right to
// delete; a missing object is not an error.
func (s *Store) Sweep(ctx context.Context, key string) error {
	err := s.try(ctx, "sweep", key, func() error { return s.bucket.Delete(ctx, key) })
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// WriteFile stores data under key; the last writer wins. Records that decide
// something use Create or Swap.
func (s *Store) WriteFile(ctx context.Context, key string, data []byte) error {
	return s.try(ctx, "write", key, func() error {
		return s.bucket.WriteAll(ctx, key, data, nil)
	})
}

// ReadFile returns the object under key, at most limit bytes.
func (s *Store) ReadFile(ctx context.Context, key string, limit int64) ([]byte, error) {
	data, _, err := s.readAll(ctx, key, limit)
	return data, err
}

func (s *Store) readAll(ctx context.Context, key string, limit int64) (data []byte, version string, err error) {
	err = s.try(ctx, "read", key, func() error {
		r, err := s.bucket.NewReader(ctx, key, nil)
		if err != nil {
			return err
		}
		defer r.Close()
		if r.Size() > limit {
			return &Error{Op: "read", Key: key, Class: ErrCorrupt, Err: fmt.Errorf("%d bytes, more than the %d that such an object may have", r.Size(), limit)}
		}
		if s.driver.version != nil {
			version = s.driver.version(r)
		}
		into := bytes.NewBuffer(make([]byte, 0, r.Size()+bytes.MinRead))
		_, err = into.ReadFrom(io.LimitReader(r, limit+1))
		data = into.Bytes()
		if s.driver.serial {
			version = serialVersion(data)
		}
		return err
	})
	return data, version, err
}

// OpenFile opens any object for reading, unverified: for data that others put
// into a bucket. Artifacts are read with Get.
func (s *Store) OpenFile(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := s.reader(ctx, "open", key, 0, -1)
	if err != nil {
		return nil, err
	}
	return r, nil
}
