// Package plainfile opens files of folders that anyone may have made. Links are
// followed; what they lead to must be a plain file, since a fifo has no end and a device
// no size. It imports nothing of this module, and knows no models: any package may
// import it. pipe.go opens what a user may mean to be a pipe.
package plainfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ErrRefused says that a file is there, but not one that is read: it is no plain file,
// or larger than any of its kind.
var ErrRefused = errors.New("not read")

// Open opens a plain file. It never waits for the other end of a fifo.
func Open(path string) (*os.File, error) {
	info, err := os.Stat(path) // opening a device may do something
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, refuse(path, info)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
		err = refuse(path, info) // it was replaced in between
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func refuse(path string, info fs.FileInfo) error {
	what := "a device"
	switch mode := info.Mode(); {
	case mode.IsDir():
		what = "a folder"
	case mode&fs.ModeNamedPipe != 0:
		what = "a fifo"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	}
	return &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("%w: it is %s and no plain file", ErrRefused, what)}
}

// Read returns the bytes of a plain file of most bytes at most.
func Read(path string, most int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > most {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("%w: it has %d bytes, more than %d", ErrRefused, info.Size(), most)}
	}
	data := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	_, err = data.ReadFrom(io.LimitReader(f, most+1))
	if err == nil && int64(data.Len()) > most {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("%w: it has more than %d bytes", ErrRefused, most)}
	}
	return data.Bytes(), err
}

// Same reports whether two paths lead to one plain file, by links of either kind.
func Same(a, b string) bool {
	info, err := os.Stat(a)
	return err == nil && same(info, b)
}

// SameAs reports whether an open file is the plain file that a path leads to.
func SameAs(f *os.File, path string) bool {
	info, err := f.Stat()
	return err == nil && same(info, path)
}

func same(a fs.FileInfo, path string) bool {
	b, err := os.Stat(path)
	return err == nil && a.Mode().IsRegular() && os.SameFile(a, b)
}
