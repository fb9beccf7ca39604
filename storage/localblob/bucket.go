// Package localblob is a gocloud blob driver for a folder of the local file
// system, made for stores that several processes share: an object becomes
// visible whole or not at all, an exclusive create has exactly one winner, and
// what was acknowledged survives a crash.
//
// gocloud's own fileblob gives none of the three: its IfNotExist is a stat and
// a rename, it truncates a sidecar in place, and it never calls fsync.
//
// The map: bucket.go opens, describes, copies and deletes, list.go lists,
// reader.go reads, writer.go writes and publishes, lock.go lets conditional writes take
// turns, obstacle.go finds what is no file or no folder and gets in the way, temp.go
// keeps what is being written and removes what dead writers left, reserve.go holds space
// for what must be written on a full disk.
package localblob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/gcerrors"
)

// errKey refuses a key outside the alphabet.
var errKey = errors.New("localblob: keys are [a-z0-9._/-] without empty, dot or hidden segments, at most 512 bytes")

// errGone reports that the bucket's folder is not there any more.
var errGone = errors.New("the folder of the store was removed, moved or unmounted while it was in use; put it back, or start again with a new one")

// errSigned: nobody serves a folder's files.
var errSigned = errors.New("localblob: a local folder has no signed URLs")

// errStale reports a failed Condition.
var errStale = errors.New("localblob: the object's version is another one")

// Condition demands the version that a write replaces. Pass it through
// WriterOptions.BeforeWrite: `var c *Condition; asFunc(&c); c.Version = v`.
type Condition struct{ Version string }

// Version is what a Condition compares. A reader's As gives the version of the
// object it reads.
type Version string

// bucket implements driver.Bucket below one os.Root.
type bucket struct {
	root *os.Root
	dir  string
	mode fs.FileMode // of the folders in it
	log  *slog.Logger
	// lockLimit is how long a lock is waited for.
	lockLimit time.Duration
}

// OpenBucket opens dir as a bucket. It creates the folder if needed, for its owner
// alone; one that is there keeps its mode, and gives it to what comes into it.
func OpenBucket(dir string, log *slog.Logger) (*blob.Bucket, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	b, err := open(dir, log)
	if err != nil {
		return nil, err
	}
	_, _, _ = sweepTemp(b.root, orphanAge, false) // what cannot be removed takes only space
	return blob.NewBucket(b), nil
}

func open(dir string, log *slog.Logger) (*bucket, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	mode, err := folderMode(root)
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &bucket{root: root, dir: dir, mode: mode, log: log, lockLimit: lockLimit}, nil
}

// name adds the folder to an error, whose own paths are relative to it. What a
// writer does not find because the folder itself is gone is no missing object.
func (b *bucket) name(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		opened, err := b.root.Stat(".")
		now, err2 := os.Stat(b.dir)
		if err != nil || err2 != nil || !os.SameFile(opened, now) {
			return fmt.Errorf("%w: %s", errGone, b.dir)
		}
	}
	return fmt.Errorf("in folder %s: %w", b.dir, err)
}

// ValidKey reports whether key may name an object.
func ValidKey(key string) bool {
	if key == "" || len(key) > 512 {
		return false
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || segment[0] == '.' {
			return false
		}
	}
	for i := range len(key) {
		c := key[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-' || c == '/') {
			return false
		}
	}
	return true
}

func (b *bucket) Close() error { return b.root.Close() }

func (b *bucket) As(any) bool { return false }

func (b *bucket) ErrorAs(err error, target any) bool { return errors.As(err, target) }

func (b *bucket) ErrorCode(err error) gcerrors.ErrorCode {
	switch {
	case errors.Is(err, errStale), errors.Is(err, fs.ErrExist):
		return gcerrors.FailedPrecondition
	case errors.Is(err, fs.ErrNotExist):
		return gcerrors.NotFound
	case errors.Is(err, fs.ErrPermission):
		return gcerrors.PermissionDenied
	case errors.Is(err, errKey), errors.Is(err, errGone):
		return gcerrors.InvalidArgument
	case errors.Is(err, errSigned):
		return gcerrors.Unimplemented
	}
	return gcerrors.Unknown
}

// version names one written state of an object: every write makes a new file.
func version(fi fs.FileInfo) string {
	return fmt.Sprintf("%x-%x-%x", fi.ModTime().UnixNano(), fi.Size(), inode(fi))
}

func (b *bucket) stat(key string) (fs.FileInfo, error) {
	if !ValidKey(key) {
		return nil, fmt.Errorf("%w: %q", errKey, key)
	}
	fi, err := b.root.Lstat(key)
	if err != nil {
		return nil, b.obstacle(key, err)
	}
	if !fi.Mode().IsRegular() {
		return nil, &KindError{Key: key, Mode: fi.Mode()}
	}
	return fi, nil
}

func (b *bucket) Attributes(_ context.Context, key string) (*driver.Attributes, error) {
	fi, err := b.stat(key)
	if err != nil {
		return nil, err
	}
	return &driver.Attributes{
		ContentType: "application/octet-stream", ModTime: fi.ModTime(), Size: fi.Size(), ETag: version(fi),
		AsFunc: noAs,
	}, nil
}

func (b *bucket) Delete(_ context.Context, key string, o *driver.DeleteOptions) error {
	if _, err := b.stat(key); err != nil {
		return err
	}
	if o != nil && o.BeforeDelete != nil {
		if err := o.BeforeDelete(noAs); err != nil {
			return err
		}
	}
	return b.root.Remove(key)
}

func (b *bucket) Copy(ctx context.Context, dst, src string, o *driver.CopyOptions) error {
	r, err := b.NewRangeReader(ctx, src, 0, -1, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	if o != nil && o.BeforeCopy != nil {
		if err := o.BeforeCopy(noAs); err != nil {
			return err
		}
	}
	w, err := b.NewTypedWriter(ctx, dst, "", &driver.WriterOptions{})
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, r); err != nil {
		w.(*writer).abort()
		return err
	}
	return w.Close()
}

func (b *bucket) SignedURL(context.Context, string, *driver.SignedURLOptions) (string, error) {
	return "", errSigned
}
