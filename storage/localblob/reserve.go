package localblob

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
)

// A full disk takes no write, so what frees space could not even begin: it holds a
// lease and records what it deletes. The reserve is a file of no content that holds
// space for these first writes.

// reserveSize is enough for a few hundred records, each of which takes a block.
const reserveSize = 1 << 20

var reserveFile = path.Join(tmpDir, "reserve")

// Reserve makes sure that the bucket in dir has a reserve.
func Reserve(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if fi, err := root.Lstat(reserveFile); err == nil && fi.Size() == reserveSize {
		return nil
	}
	mode, err := folderMode(root)
	if err != nil {
		return err
	}
	if err := makeFolder(root, tmpDir, mode); err != nil {
		return err
	}
	// A writer that dies leaves what sweepTemp removes.
	tmp := path.Join(tmpDir, "w-"+rand.Text())
	err = fill(root, tmp)
	if err == nil {
		err = root.Rename(tmp, reserveFile)
	}
	if err != nil {
		_ = root.Remove(tmp)
	}
	return err
}

// fill writes the reserve. Its bytes are random: zeros take no space where the file
// system compresses.
func fill(root *os.Root, name string) error {
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	noise := make([]byte, reserveSize)
	_, _ = rand.Read(noise) // never fails since Go 1.24
	_, err = f.Write(noise)
	return errors.Join(err, f.Sync(), f.Close())
}

// SpendReserve frees the space of the reserve. spent is false if there was none.
func SpendReserve(dir string) (spent bool, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false, err
	}
	defer root.Close()
	err = root.Remove(reserveFile)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
