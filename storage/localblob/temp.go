package localblob

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

// tmpDir holds files being written and lock files. Keys never start with a dot.
const tmpDir = ".tmp"

// orphanAge is how long a temporary file may go without a write before its
// writer counts as dead.
const orphanAge = 24 * time.Hour

// SweepTemp removes from the bucket in dir the files of writers that died more
// than age ago, and returns how many files and bytes that was. With dry it only
// counts.
func SweepTemp(dir string, age time.Duration, dry bool) (files int, bytes int64, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, 0, err
	}
	defer root.Close()
	return sweepTemp(root, age, dry)
}

func sweepTemp(root *os.Root, age time.Duration, dry bool) (files int, bytes int64, err error) {
	entries, err := fs.ReadDir(root.FS(), tmpDir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "w-") {
			continue
		}
		fi, statErr := e.Info()
		if statErr != nil || time.Since(fi.ModTime()) <= age {
			continue
		}
		if !dry {
			if removeErr := root.Remove(path.Join(tmpDir, e.Name())); removeErr != nil {
				if !errors.Is(removeErr, fs.ErrNotExist) {
					err = removeErr
				}
				continue
			}
		}
		files, bytes = files+1, bytes+fi.Size()
	}
	return files, bytes, err
}
