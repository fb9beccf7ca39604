package localblob

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"gocloud.dev/blob/driver"
)

// writer collects an object in a temporary file and publishes it on Close.
type writer struct {
	b         *bucket
	ctx       context.Context
	key, tmp  string
	file      *os.File
	exclusive bool
	condition *Condition
	err       error
}

func (b *bucket) NewTypedWriter(ctx context.Context, key, _ string, o *driver.WriterOptions) (driver.Writer, error) {
	if !ValidKey(key) {
		return nil, fmt.Errorf("%w: %q", errKey, key)
	}
	w := &writer{b: b, ctx: ctx, key: key, exclusive: o.IfNotExist}
	if o.BeforeWrite != nil {
		err := o.BeforeWrite(func(target any) bool {
			if c, ok := target.(**Condition); ok {
				w.condition = &Condition{}
				*c = w.condition
				return true
			}
			return false
		})
		if err != nil {
			return nil, err
		}
	}
	w.tmp = path.Join(tmpDir, "w-"+rand.Text())
	var err error
	w.file, err = createFile(b.root, w.tmp, os.O_EXCL|os.O_WRONLY, b.mode)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeFolder(b.root, tmpDir, b.mode); err == nil {
			w.file, err = createFile(b.root, w.tmp, os.O_EXCL|os.O_WRONLY, b.mode)
		}
	}
	if err != nil {
		return nil, b.name(err)
	}
	return w, nil
}

// Write gives back at once the space of an object that cannot be written: after the
// failure of a short one nobody calls Close.
func (w *writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.file.Write(p)
	if err != nil {
		w.err = w.b.name(err)
		w.abort()
	}
	return n, w.err
}

func (w *writer) abort() {
	w.file.Close()
	_ = w.b.root.Remove(w.tmp)
}

// Close publishes the object, unless the context was cancelled or a write
// failed. It returns after the bytes and the folder entry are on disk.
func (w *writer) Close() error {
	if w.err != nil {
		return w.err
	}
	if err := w.ctx.Err(); err != nil {
		w.abort()
		return err
	}
	err := w.file.Sync()
	if closed := w.file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = w.publish()
	}
	if err != nil || w.exclusive {
		_ = w.b.root.Remove(w.tmp)
	}
	if err == nil {
		err = w.b.syncDir(path.Dir(w.key))
	}
	return w.b.name(err)
}

func (w *writer) publish() error {
	dir := path.Dir(w.key)
	put := func() error {
		if w.exclusive {
			// A hard link fails if the name is taken: the one atomic
			// create-if-absent that every local file system offers.
			return w.b.root.Link(w.tmp, w.key)
		}
		return w.b.root.Rename(w.tmp, w.key)
	}
	if w.condition != nil {
		unlock, err := w.b.lock(w.ctx, w.key)
		if err != nil {
			return err
		}
		defer unlock()
		fi, err := w.b.root.Lstat(w.key)
		if err != nil {
			return err
		}
		if version(fi) != w.condition.Version {
			return fmt.Errorf("%w: %s", errStale, w.key)
		}
		if err := w.after(fi.ModTime()); err != nil {
			return err
		}
	}
	err := put()
	if errors.Is(err, fs.ErrNotExist) {
		if err := w.b.mkdir(dir); err != nil {
			return w.b.obstacle(w.key, err)
		}
		err = put()
	}
	if err != nil && w.condition == nil {
		moved, failed := w.b.setAside(w.ctx, w.key)
		if failed != nil {
			return w.b.obstacle(w.key, failed)
		}
		if moved {
			err = put()
		}
	}
	return w.b.obstacle(w.key, err)
}

// after moves the modification time of the new file past that of the one it
// replaces. Kernels stamp files with a clock that stands still for milliseconds
// and file systems use an inode again at once, so without it a later state of a
// key could have the version of an earlier one.
func (w *writer) after(old time.Time) error {
	fi, err := w.b.root.Lstat(w.tmp)
	if err != nil || fi.ModTime().After(old) {
		return err
	}
	next := old.Add(time.Microsecond) // some file systems store no nanoseconds
	return w.b.root.Chtimes(w.tmp, next, next)
}

// mkdir makes the folders of a key and syncs each one's parent, so that the
// path itself survives a crash.
func (b *bucket) mkdir(dir string) error {
	if dir == "." {
		return nil
	}
	if _, err := b.root.Lstat(dir); err == nil {
		return nil
	}
	if err := b.mkdir(path.Dir(dir)); err != nil {
		return err
	}
	if err := makeFolder(b.root, dir, b.mode); err != nil {
		return err
	}
	return b.syncDir(path.Dir(dir))
}
