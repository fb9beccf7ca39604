package wheel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/ownership"
)

// noteName is the file of an entry that remembers which of its files were digested.
const noteName = ".sprint-checked.json"

// note is what noteName holds. It counts until the machine is started again, since a folder
// that was copied or restored from elsewhere cannot know by which number.
type note struct {
	Boot  string                        `json:"boot"`
	Files map[string]ownership.Identity `json:"files"`
}

// verify checks that dir holds the pinned wheel, byte for byte and nothing else, and that
// nobody but this user and the superuser can change it. Files that were digested since the
// machine was started, and are the same ones, are not read again. A missing entry is
// fs.ErrNotExist; an error that wraps ownership.ErrShared is not about the bytes.
func verify(dir string, p Pin) error {
	want, err := present(dir, p)
	if err != nil {
		return err
	}
	seen := readNote(dir)
	fresh := note{Boot: ownership.Boot(), Files: map[string]ownership.Identity{}}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		id, known, err := identity(path)
		if err != nil {
			return err
		}
		if known && fresh.Boot != "" && seen.Boot == fresh.Boot && seen.Files[name] == id {
			fresh.Files[name] = id
			continue
		}
		sum, err := HashFile(path)
		if err != nil {
			return errors.New(err.Error()) // a lost member is damage, not absence
		}
		if sum != want[name].sha256 {
			return fmt.Errorf("%s has sha256 %s, its wheel has %s", name, sum, want[name].sha256)
		}
		if after, _, err := identity(path); err != nil || after != id {
			return fmt.Errorf("%s changed while it was read", name)
		}
		fresh.Files[name] = id
	}
	if fresh.Boot != "" && !(seen.Boot == fresh.Boot && maps.Equal(seen.Files, fresh.Files)) {
		writeNote(dir, fresh)
	}
	return nil
}

func identity(path string) (id ownership.Identity, known bool, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return id, false, errors.New(err.Error()) // a lost member is damage, not absence
	}
	id, known = ownership.IdentityOf(info)
	return id, known, nil
}

// readNote gives the note of an entry, an empty one where there is none that can be trusted.
func readNote(dir string) (n note) {
	path := filepath.Join(dir, noteName)
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxRecord || ownership.Private(path, info) != nil {
		return note{}
	}
	data, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(data, &n) != nil {
		return note{}
	}
	return n
}

// writeNote keeps a note where the user may write; elsewhere every file is digested each time.
func writeNote(dir string, n note) {
	if data, err := json.Marshal(n); err == nil {
		_ = os.WriteFile(filepath.Join(dir, noteName), data, 0o600) // one that is torn is none
	}
}

// present is the cheap half of verify: the entry holds each file of the wheel with its size
// and no other, and all is private. What it returns was not read.
func present(dir string, p Pin) (members, error) {
	if err := private(filepath.Dir(dir)); err != nil {
		return nil, err
	}
	if err := private(dir); err != nil {
		return nil, err
	}
	want, err := readRecord(dir, p)
	if err != nil {
		return nil, err
	}
	left := maps.Clone(want)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		expected, is := want[name]
		delete(left, name)
		switch {
		case d.IsDir() && leads(name, want), is && info.Mode().IsRegular() && info.Size() == expected.size:
			return ownership.Private(path, info)
		case name == noteName && info.Mode().IsRegular():
			return nil
		case is && info.Mode().IsRegular():
			return fmt.Errorf("%s has %d bytes, in its wheel %d", name, info.Size(), expected.size)
		}
		return fmt.Errorf("%s is no file of the wheel", name)
	})
	if err != nil && !errors.Is(err, ownership.ErrShared) {
		err = errors.New(err.Error()) // a lost member is damage, not absence
	}
	for name := range left {
		if err == nil {
			err = fmt.Errorf("%s is missing", name)
		}
	}
	return want, err
}

// leads reports whether a folder of an entry leads to a file of the wheel. Another folder may
// hold libraries that a plugin looks for beside itself.
func leads(dir string, files members) bool {
	return dir == "." || slices.ContainsFunc(slices.Collect(maps.Keys(files)), func(f string) bool { return strings.HasPrefix(f, dir+"/") })
}

// private is ownership.Private for a folder that is no link.
func private(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no folder", dir)
	}
	return ownership.Private(dir, info)
}
