package localblob

import (
	"errors"
	"io/fs"
	"os"
	"path"
)

// A bucket holds rows, logs and answers that were paid for, so a folder made here is
// its owner's alone. A folder that was there before says by its own mode who else
// may read or write what comes into it, the group of a shared machine say.

// folderMode is the mode of folders below root.
func folderMode(root *os.Root) (fs.FileMode, error) {
	info, err := root.Stat(".")
	if err != nil {
		return 0, err
	}
	return info.Mode()&(fs.ModePerm|fs.ModeSetgid) | 0o700, nil
}

// makeFolder makes name and the folders above it. A umask would take from a group
// what the bucket's folder gives it.
func makeFolder(root *os.Root, name string, mode fs.FileMode) error {
	if _, err := root.Lstat(name); err == nil {
		return nil
	}
	if above := path.Dir(name); above != "." {
		if err := makeFolder(root, above, mode); err != nil {
			return err
		}
	}
	err := root.Mkdir(name, mode.Perm())
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil && shared(mode) {
		err = root.Chmod(name, mode)
	}
	return err
}

// createFile makes a file that must not be there, or with flags 0 opens it if it is.
func createFile(root *os.Root, name string, flags int, mode fs.FileMode) (*os.File, error) {
	f, err := root.OpenFile(name, os.O_CREATE|flags, mode.Perm()&0o666)
	if err != nil || !shared(mode) {
		return f, err
	}
	// Of a file that another user made only its maker can change the mode, and has.
	if err := f.Chmod(mode.Perm() & 0o666); err != nil && !errors.Is(err, fs.ErrPermission) {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// shared reports whether others than the owner may write.
func shared(mode fs.FileMode) bool { return mode&0o022 != 0 }
