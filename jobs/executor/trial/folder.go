package trial

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Folder is an error where a folder that is there cannot be written, or one that is not
// cannot be made. It leaves nothing behind.
func Folder(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	for { // up to what is there
		if _, err := os.Stat(dir); err == nil || !errors.Is(err, os.ErrNotExist) {
			break
		}
		dir = filepath.Dir(dir)
	}
	made, err := os.MkdirTemp(dir, ".sprint-doctor-*")
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: "write in", Path: dir, Err: failed.Err} // the name of the trial says nothing
	}
	if err != nil {
		return err
	}
	return os.Remove(made)
}
