package config

import (
	"os"
	"path/filepath"
)

// storePath is where the store of a folder lies in it.
const storePath = ".sprint/store"

// FoundStore is the store of a call that names none.
type FoundStore struct {
	// Path is the store's folder, as seen from where the search began. Where none was
	// found it is the place for a new one, which is there if somebody else owns it.
	Path string
	// There says that it was found.
	There bool
	// From is the absolute path of the folder in which the search began.
	From string
	// Foreign are stores that were passed over, nearest first: another user owns them,
	// and what a store says decides what is not done again.
	Foreign []string
}

// FindStore looks for .sprint/store in a folder and in those above it. It makes
// nothing.
func FindStore(dir string) FoundStore {
	out := FoundStore{Path: filepath.Join(dir, storePath), From: dir}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return out
	}
	out.From = abs
	for above := dir; ; above = filepath.Join(above, "..") {
		switch path := filepath.Join(above, storePath); {
		case !isFolder(path):
		case foreign(filepath.Dir(path)) || foreign(path):
			out.Foreign = append(out.Foreign, path)
		default:
			out.Path, out.There = path, true
			return out
		}
		if filepath.Dir(abs) == abs {
			return out
		}
		abs = filepath.Dir(abs)
	}
}

// Refused says that there is no place for a new store: the working directory has one
// of another user.
func (f FoundStore) Refused() bool {
	return !f.There && len(f.Foreign) > 0 && f.Foreign[0] == f.Path
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// foreign reports whether another user owns a path, or the link that stands there.
func foreign(path string) bool {
	for _, look := range []func(string) (os.FileInfo, error){os.Lstat, os.Stat} {
		if info, err := look(path); err != nil || !ours(info) {
			return true
		}
	}
	return false
}
