package bucket

import (
	"context"
	"errors"
	"strings"
)

// checkExport refuses keys that no object of a folder of files has.
func checkExport(op, key string) error {
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return &Error{Op: op, Key: key, Class: ErrInvalid, Err: errors.New("a segment of the name of an object is empty, one dot or two")}
		}
	}
	if len(key) > 1024 {
		return &Error{Op: op, Key: key, Class: ErrInvalid, Err: errors.New("the name of an object has at most 1024 bytes")}
	}
	return nil
}

// Export stores a content under a key of any letters, in place of what is there: data for
// others, of which no record of a store says anything. The object is there whole or not
// at all. The errors are those of Upload.
func (b *Bucket) Export(ctx context.Context, key string, c *Content) error {
	if err := checkExport("export", key); err != nil {
		return err
	}
	return b.retry(ctx, "export", key, func() error { return b.send(ctx, key, c) })
}

// SweepExport removes an object that Export may have written; it is no error if there is
// none.
func (b *Bucket) SweepExport(ctx context.Context, key string) error {
	if err := checkExport("remove", key); err != nil {
		return err
	}
	err := b.retry(ctx, "remove", key, func() error { return b.blobs.Delete(ctx, key) })
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
