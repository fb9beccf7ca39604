// Package storage keeps artifacts, manifests and records of runs in a blob
// store: a local folder, S3, GCS or memory. Content is addressed by its digest
// and verified on every read; what decides a race is one exclusive create. The
// rules and the measurements behind them hold for all drivers, and the suite
// in storagetest checks each of them.
//
// The map of the family:
//
//   - storage: Store, which is what is kept: artifacts and blobs (artifact.go,
//     blob.go, verify.go, fetch.go), trees, manifests and their history,
//     checkpoints, leases and their holders, sweeps beside writers, URLs of objects
//   - bucket: Bucket, which a Store embeds: URLs, objects, records, retries,
//     error classes, and the four kinds of buckets
//   - record: the bytes of records and documents, and who signed them
//   - localblob, gcsblob: drivers of a folder and of Google Cloud Storage; transport:
//     connections to servers
//   - models: the registry: releases and aliases
//   - probe, check: whether a store keeps its promises, whether an artifact is there
//   - storagetest: the suite that every store passes, with faults, a fake of GCS
//     and, in a module of their own, real servers
//
// The family imports nothing else of this repository. Only it imports gocloud.
package storage

import (
	"context"
	"iter"

	"github.com/sprint-ml/sprint/storage/bucket"
	"github.com/sprint-ml/sprint/storage/record"
)

// Options of Open. The zero value is ready to use.
type Options = bucket.Options

// Keyring is the keys of a store whose records are signed.
type Keyring = record.Keyring

// NewKeyring returns the keyring that signs with one key and believes further ones
// too.
func NewKeyring(signing string, accepted ...string) (*Keyring, error) {
	return record.NewKeyring(signing, accepted...)
}

// Info describes an object of the store. Version changes with every write.
type Info = bucket.Info

// Store is what is kept in a bucket. It is safe for concurrent use. The methods
// of Bucket reach every object, also those that a Store gives a meaning.
type Store struct {
	*bucket.Bucket
	watch sweepWatch
}

// Open opens the store at a URL (file://, mem://, s3://, gs://) or folder.
// A path after the bucket's name becomes a prefix of all keys. The caller closes
// the store.
func Open(ctx context.Context, rawURL string, o *Options) (*Store, error) {
	b, err := bucket.Open(ctx, rawURL, o)
	if err != nil {
		return nil, err
	}
	return &Store{Bucket: b}, nil
}

// WithKeys returns the store as one with other keys sees it; nil believes
// everything. It is closed with this one.
func (s *Store) WithKeys(k *Keyring) *Store { return &Store{Bucket: s.Bucket.WithKeys(k)} }

// List yields the objects of the store whose keys begin with prefix, in key order. It
// stops after the first error. What has a key that no object of a store has is
// somebody's other file and passed over; the List of the bucket yields it too.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for info, err := range s.Bucket.List(ctx, prefix) {
			if err == nil && !ValidKey(info.Key) {
				continue
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

// Folders yields the names of the folders directly below prefix, which ends with a
// slash, in order, but for those in which no object of a store can be. It stops after
// the first error.
func (s *Store) Folders(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for name, err := range s.Bucket.Folders(ctx, prefix) {
			if err == nil && !ValidKey(name) {
				continue
			}
			if !yield(name, err) {
				return
			}
		}
	}
}

// ReadAs reads a record by decode and returns it and the version that Swap takes.
// What decode refuses is ErrCorrupt, as a record is whose bytes are wrong, and has
// a version as well, so that a Swap can replace it.
func ReadAs[T any](ctx context.Context, s *Store, op, key string, decode func(body []byte, into *T) error) (T, string, error) {
	var none, read T
	body, version, err := s.Read(ctx, key)
	if err != nil {
		return none, version, err
	}
	if err := decode(body, &read); err != nil {
		return none, version, &Error{Op: op, Key: key, Class: ErrCorrupt, Err: err}
	}
	return read, version, nil
}

// ValidKey reports whether key may name an object of a store: the alphabet that
// every driver keeps apart on every file system.
func ValidKey(key string) bool { return bucket.ValidKey(key) }
