// Package ownership tells who else can change a file: what is loaded as code, or what says
// that code was checked, must be its user's alone.
//
// ownership.go has the rules and their refusals, file_unix.go what the system says of a file's
// owner, identity.go by what a file is known again. On Windows nothing is known, and nothing
// refused: no build loads code there. It imports nothing of this module.
package ownership

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrShared is wrapped by every refusal: others can change a file or a folder (exit code 4).
var ErrShared = errors.New("others can change it")

// Error names what others can change, and what to do about it.
type Error struct {
	Path    string
	Message string // who can change it
	Hint    string
}

// Error is the path and who can change what is there.
func (e *Error) Error() string { return e.Path + " " + e.Message }

// Unwrap is ErrShared.
func (e *Error) Unwrap() error { return ErrShared }

// Permission bits of those who are neither the owner nor the superuser.
const (
	everyone = fs.FileMode(0o002)
	others   = everyone | 0o020 // and the group
)

// Private refuses a file or folder that anybody but this user and the superuser owns or may
// write. info is what path itself is, as Lstat gives it.
func Private(path string, info fs.FileInfo) error {
	if owner, ok := ownerOf(info); ok && owner != os.Geteuid() && owner != 0 {
		return &Error{path, fmt.Sprintf("belongs to user %d, neither to you (user %d) nor to root", owner, os.Geteuid()), "use a folder of your own"}
	}
	return notWritable(path, info, others, "others than its owner")
}

// Way refuses a path through a folder in which every user can replace the next part of it: one
// that all may write and that is not sticky. Whose the folders are is not asked: the path is
// its user's choice.
func Way(path string) error {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if modesCount && info.Mode()&everyone != 0 && info.Mode()&fs.ModeSticky == 0 {
			return &Error{dir, fmt.Sprintf("can be changed by every user (mode %s): what is in it can be replaced", info.Mode()), fmt.Sprintf("chmod +t %s, or o-w", dir)}
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// Named refuses a file that its user named and that every user can replace or write. In a
// folder that all may write, such as /tmp, the file must be private.
func Named(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	for _, p := range []string{path, real} {
		if err := Way(p); err != nil {
			return err
		}
		info, err := os.Stat(p)
		if err != nil {
			return err
		}
		folder, err := os.Stat(filepath.Dir(p))
		if err != nil {
			return err
		}
		if folder.Mode()&everyone != 0 {
			err = Private(p, info)
		} else {
			err = notWritable(p, info, everyone, "every user")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func notWritable(path string, info fs.FileInfo, who fs.FileMode, whom string) error {
	if !modesCount || info.Mode()&who == 0 {
		return nil
	}
	letters := "o-w"
	if who == others {
		letters = "go-w"
	}
	return &Error{path, fmt.Sprintf("can be changed by %s (mode %s)", whom, info.Mode()), fmt.Sprintf("chmod %s %s, if you trust what is there now", letters, path)}
}

// Identity tells whether a file is still the one that was looked at: it changes with every
// write to the file, with its mode and its owner, and with another file of the name.
type Identity struct {
	Device   uint64 `json:"device"`
	Inode    uint64 `json:"inode"`
	Size     int64  `json:"size"`
	Modified int64  `json:"modified"` // nanoseconds
	Changed  int64  `json:"changed"`  // nanoseconds, by the system's clock; no program can choose it
}
