// Package atomicfile replaces files on this machine whole: a reader finds the old
// content or the new one, whatever happens meanwhile.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sprint-ml/sprint/stages"
)

// Write replaces the content of a file, which keeps its mode, or makes it with one. Of
// a link it replaces what that leads to. Its folder must exist. On an error the file is
// as it was.
func Write(path string, data []byte, mode fs.FileMode) error {
	path, err := Target(path)
	if err != nil {
		return err
	}
	switch info, err := os.Stat(path); {
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%s is no plain file: it is not replaced", path)
	case err == nil:
		mode = info.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".sprint-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already when all went well
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Target is the path that Write replaces: that of the file which a link leads to, else
// path itself. A link to nothing is an error.
func Target(path string) (string, error) {
	info, err := os.Lstat(path)
	isLink := err == nil && info.Mode()&fs.ModeSymlink != 0
	if !isLink {
		return path, nil // one that cannot be used fails when it is
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("%s is a link that leads to no file: %w", path, err)
	}
	return target, nil
}

// Failure is the failure of a command that could not write its files.
func Failure(err error) error {
	return stages.Fail(stages.CodeEnvironment, "name a folder that can be written", "cannot write the files: %w", err)
}
