// Package bucket moves bytes to and from a blob store: a local folder, S3, GCS
// or memory. It knows nothing of what the objects mean; that is package
// storage's.
//
// A Bucket gives every driver the same promises. An operation that fails for a
// moment is tried again, here and nowhere else. An error has a class, which
// errors.Is tests, and names the operation, the key and the cause once. A record
// is created by exactly one of many writers, and is replaced only in the version
// that the writer has read.
//
// The map:
//
//   - bucket.go, url.go: opening a bucket by its URL
//   - objects.go: stat, list, read, write, copy and delete objects, and sign their addresses
//   - record.go: records, which decide races: Create, Read, Swap; documents
//   - signed.go: whether the bucket's records are signed, and by whom
//   - retry.go, errors.go, messages.go: tries, error classes, error texts
//   - content.go, upload.go: what is uploaded, and how
//   - reader.go, ranges.go, download.go: what is read, by one connection or many
//   - unfinished.go: what dead writers left
//   - local.go: what only a local folder has
//   - denied.go: the bucket as one without rights sees it
//   - drivers.go, s3.go, s3_transfer.go, gcs.go: the four kinds of buckets
package bucket

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sprint-ml/sprint/storage/localblob"
	"github.com/sprint-ml/sprint/storage/record"
	"gocloud.dev/blob"
	"golang.org/x/sync/semaphore"
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
	// Keys sign what is written and vouch for what is read; nil signs nothing and
	// believes everything.
	Keys *record.Keyring
}

// filled returns the options with their defaults.
func (o *Options) filled() Options {
	var f Options
	if o != nil {
		f = *o
	}
	if f.Log == nil {
		f.Log = slog.New(slog.DiscardHandler)
	}
	if f.Around == nil {
		f.Around = func(_ context.Context, _, _ string, call func() error) error { return call() }
	}
	f.Tries = cmp.Or(f.Tries, 5)
	f.Backoff = cmp.Or(f.Backoff, 100*time.Millisecond)
	return f
}

// Bucket is an open bucket. It is safe for concurrent use.
type Bucket struct {
	opened
	driver    driver
	at        *url.URL // where it is
	source    string   // as given to Open
	o         Options
	serial    *sync.Mutex         // of conditional writes, where a driver has none
	ahead     *semaphore.Weighted // one for each range in memory
	admitted  chan bool           // holds whether the bucket is known to be one that may write
	unchecked sync.Once           // the warning of one without keys that reads signed records
	known     atomic.Bool         // the server has told a missing object from an unknown asker
}

// Open opens the bucket at a URL (file://, mem://, s3://, gs://) or folder. A
// path after the bucket's name becomes a prefix of all keys. The caller closes
// the bucket.
func Open(ctx context.Context, rawURL string, o *Options) (*Bucket, error) {
	u, d, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	filled := o.filled()
	opened, err := d.open(ctx, u, filled.Log)
	if err != nil {
		err = wrap("open", Redact(rawURL), err)
		if own, ok := errors.AsType[*Error](err); ok && errors.Is(own.Class, ErrTransient) {
			// Nothing was sent yet: what fails here is the URL or the folder.
			own.Class = ErrInvalid
		}
		return nil, err
	}
	return newBucket(opened, d, u, rawURL, filled), nil
}

func newBucket(opened opened, d driver, at *url.URL, source string, o Options) *Bucket {
	if prefix := keyPrefix(at); prefix != "" {
		opened.blobs = blob.PrefixedBucket(opened.blobs, prefix)
	}
	return (&Bucket{opened: opened, driver: d, at: at, source: source, serial: new(sync.Mutex)}).with(o)
}

// with returns a bucket with other options over the same connections.
func (b *Bucket) with(o Options) *Bucket {
	other := &Bucket{opened: b.opened, driver: b.driver, at: b.at, source: b.source, o: o, serial: b.serial, ahead: semaphore.NewWeighted(rangesAhead), admitted: make(chan bool, 1)}
	other.admitted <- false
	return other
}

// ValidKey reports whether key may name an object of a store: the alphabet that
// every driver keeps apart on every file system.
func ValidKey(key string) bool { return localblob.ValidKey(key) }

// Close ends the connections.
func (b *Bucket) Close() error {
	err := b.blobs.Close()
	if b.conns != nil {
		b.conns.CloseAll()
	}
	return err
}

// URL names the bucket in messages: secrets are stripped.
func (b *Bucket) URL() string { return Redact(b.source) }

// Source is the URL that opens the same bucket again, as it was given to Open.
// It may hold secrets; URL is for messages.
func (b *Bucket) Source() string { return b.source }

// Logger is the logger of the bucket's options, never nil.
func (b *Bucket) Logger() *slog.Logger { return b.o.Log }

// Local reports whether only this process sees the bucket (mem://).
func (b *Bucket) Local() bool { return b.at.Scheme == "mem" }

// Remote reports whether every answer of the bucket takes a journey.
func (b *Bucket) Remote() bool { return b.driver.remote }
