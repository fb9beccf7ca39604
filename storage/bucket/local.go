package bucket

import (
	"context"
	"io/fs"

	"github.com/sprint-ml/sprint/storage/localblob"
)

// What only a local folder has: a disk that can be full, and entries that are no
// files.

// Reserve makes sure that a full disk leaves room for the first writes of what frees
// space. Only a local folder needs one, and only SpendReserve uses it.
func (b *Bucket) Reserve() error {
	if b.at.Scheme != "file" {
		return nil
	}
	return wrap("reserve", "space", localblob.Reserve(b.at.Path))
}

// SpendReserve frees what Reserve holds; spent is false if that was nothing.
func (b *Bucket) SpendReserve() (spent bool, err error) {
	if b.at.Scheme != "file" {
		return false, nil
	}
	spent, err = localblob.SpendReserve(b.at.Path)
	return spent, wrap("spend", "reserve", err)
}

// Irregular visits what lies in a local folder and is no file: folders, too, and
// under keys that begin with a dot what a writer found in its place and set aside.
// Other buckets hold nothing but objects.
func (b *Bucket) Irregular(ctx context.Context, visit func(key string, mode fs.FileMode)) error {
	if b.at.Scheme != "file" {
		return nil
	}
	return b.retry(ctx, "list", "", func() error { return localblob.Irregular(ctx, b.at.Path, visit) })
}

// KindOf says in words what a mode makes of a folder's entry.
func KindOf(mode fs.FileMode) string { return localblob.KindOf(mode) }
