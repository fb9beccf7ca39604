// Package atomicfile replaces files on this machine whole: a reader finds the old
// content or the new one, whatever happens meanwhile.
package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sprint-ml/sprint/stages"
)

// Write replaces the content of a file and gives it a mode. Its folder must exist.
// On an error the file is as it was.
func Write(path string, data []byte, mode fs.FileMode) error {
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

// Failure is the failure of a command that could not write its files.
func Failure(err error) error {
	return stages.Fail(stages.CodeEnvironment, "name a folder that can be written", "cannot write the files: %w", err)
}
