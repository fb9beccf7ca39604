package localblob

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"strings"
)

// asidePrefix begins the names of what setAside moved, in tmpDir.
const asidePrefix = "aside-"

// KindError says that what lies under a key is no file. Nothing can be read there,
// so it is fs.ErrNotExist; a writer of the key moves it out of the way.
type KindError struct {
	Key  string
	Mode fs.FileMode
}

func (e *KindError) Error() string { return fmt.Sprintf("%s is %s, not a file", e.Key, KindOf(e.Mode)) }

// Is makes it a missing object.
func (e *KindError) Is(target error) bool { return target == fs.ErrNotExist }

// ObstacleError says what must be taken out of the way before a key can be read or
// written: something else than a folder where one must be, or what cannot be moved.
type ObstacleError struct {
	Path string // the key or its beginning
	Mode fs.FileMode
	Err  error // why it could not be moved; nil: nothing tried to
}

func (e *ObstacleError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s is %s, not a file, and cannot be moved away: %v", e.Path, KindOf(e.Mode), e.Err)
	}
	return fmt.Sprintf("%s is %s, not a folder", e.Path, KindOf(e.Mode))
}

func (e *ObstacleError) Unwrap() error { return e.Err }

// KindOf says in words what a mode makes of a folder's entry.
func KindOf(mode fs.FileMode) string {
	switch mode.Type() {
	case 0:
		return "a file"
	case fs.ModeDir:
		return "a folder"
	case fs.ModeSymlink:
		return "a symbolic link"
	case fs.ModeNamedPipe:
		return "a named pipe"
	case fs.ModeSocket:
		return "a socket"
	}
	return "a device"
}

// obstacle finds on the way to a key what is no folder and gives it as the error;
// else the error stays.
func (b *bucket) obstacle(key string, err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return err
	}
	for i, c := range key {
		if c != '/' {
			continue
		}
		if fi, lerr := b.root.Lstat(key[:i]); lerr == nil && !fi.IsDir() {
			return &ObstacleError{Path: key[:i], Mode: fi.Mode()}
		} else if lerr != nil {
			break
		}
	}
	return err
}

// isFolder reports whether there is a folder to be listed. It must be asked before
// one is opened: to open a pipe waits for its writer.
func (b *bucket) isFolder(dir string) (bool, error) {
	if dir == "" {
		return true, nil
	}
	fi, err := b.root.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, b.obstacle(dir, err)
	case fi.Mode().IsRegular(): // below an object there is nothing
		return false, nil
	case !fi.IsDir():
		return false, &ObstacleError{Path: dir, Mode: fi.Mode()}
	}
	return true, nil
}

// setAside moves what is no file from the place of an object into tmpDir, where it
// stays until somebody removes it: it may be the work of a person. moved is false
// if there was nothing to move. Files are never moved: those who make them
// either need the place to be free, or replace what is no folder.
func (b *bucket) setAside(ctx context.Context, key string) (moved bool, err error) {
	if fi, err := b.root.Lstat(key); err != nil || fi.Mode().IsRegular() {
		return false, nil //nolint:nilerr // what the writer met is something else, and told by it
	}
	unlock, err := b.lock(ctx, key)
	if err != nil {
		return false, err
	}
	defer unlock()
	fi, err := b.root.Lstat(key)
	if err != nil || fi.Mode().IsRegular() {
		return true, nil //nolint:nilerr // another writer was faster: the next try meets what is there now
	}
	to := path.Join(tmpDir, asidePrefix+rand.Text())
	if err := b.root.Rename(key, to); err != nil {
		return false, &ObstacleError{Path: key, Mode: fi.Mode(), Err: err}
	}
	b.log.Warn("something else lay in the place of an object and was set aside; remove it when nobody misses it",
		slog.String("key", key), slog.String("was", KindOf(fi.Mode())), slog.String("now", path.Join(b.dir, to)))
	return true, nil
}

// Irregular visits what lies in the bucket in dir and is no file: folders too, and
// what was set aside. Keys of what was set aside begin with a dot.
func Irregular(ctx context.Context, dir string, visit func(key string, mode fs.FileMode)) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	b := &bucket{root: root, dir: dir}
	err = b.walk(ctx, "", func(key string, d fs.DirEntry) (bool, error) {
		if d.Type().IsRegular() {
			return false, nil
		}
		visit(key, d.Type())
		return true, nil
	})
	if err != nil {
		return err
	}
	aside, err := fs.ReadDir(root.FS(), tmpDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, d := range aside {
		if strings.HasPrefix(d.Name(), asidePrefix) {
			visit(path.Join(tmpDir, d.Name()), d.Type())
		}
	}
	return err
}
