package answers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"

	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/scratch"
	"github.com/sprint-ml/sprint/stages/storeio"
	"github.com/sprint-ml/sprint/storage"
)

// Source is an open file of rows: a local one, or an object of a store.
type Source struct {
	r    io.Reader
	file *os.File // that can be read again; nil where the bytes come once
	size int64    // bytes; 0 if not known
	read atomic.Int64
	done []func()
}

// OpenSource opens a path or a store URL. again asks for a source that can be read twice:
// an object of a store is then copied into a scratch folder first, and so is one in
// Parquet, which is not read from its beginning to its end. A local pipe is read once.
func OpenSource(ctx context.Context, name string, again bool) (*Source, error) {
	if _, _, remote := storage.SplitURL(name); !remote {
		path := storage.LocalPath(name)
		if info, err := os.Stat(path); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
			pipe, err := plainfile.OpenPipe(ctx, path) // one that nobody writes waits until ctx ends
			if err != nil {
				return nil, err
			}
			return &Source{r: pipe, done: []func(){func() { pipe.Close() }}}, nil
		}
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		s := &Source{r: f, done: []func(){func() { f.Close() }}}
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			s.file, s.size = f, info.Size()
		}
		return s, nil
	}
	in, err := storeio.OpenFile(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", storage.Redact(name), err)
	}
	s := &Source{r: in, done: []func(){func() { in.Close() }}}
	if format, _ := rows.FormatOf(name); format != rows.Parquet && !again {
		return s, nil
	}
	if err := s.copyFrom(ctx, in); err != nil {
		s.Close()
		return nil, fmt.Errorf("%s: %w", storage.Redact(name), err)
	}
	return s, nil
}

// copyFrom makes the source a scratch file of what a reader has.
func (s *Source) copyFrom(ctx context.Context, in io.Reader) error {
	scratch.Sweep()
	dir, remove, err := scratch.New()
	if err != nil {
		return err
	}
	s.done = append(s.done, remove)
	f, err := os.CreateTemp(dir, "input-*")
	if err != nil {
		return err
	}
	s.done = append(s.done, func() { f.Close() })
	for err == nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var n int64
		n, err = io.CopyN(f, in, 16<<20)
		s.size += n
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	s.r, s.file = f, f
	_, err = f.Seek(0, io.SeekStart)
	return err
}

// Close closes the source, and removes what was copied of it.
func (s *Source) Close() {
	for i := len(s.done) - 1; i >= 0; i-- {
		s.done[i]()
	}
	s.done = nil
}

// Digest is that of the whole source, which is then at its beginning again. It is empty
// where the bytes come once.
func (s *Source) Digest(ctx context.Context) (string, error) {
	if s.file == nil {
		return "", nil
	}
	h := sha256.New()
	for {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if _, err := io.CopyN(h, s.file, 16<<20); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return "", err
		}
	}
	_, err := s.file.Seek(0, io.SeekStart)
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), err
}

// Read implements io.Reader.
func (s *Source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.read.Add(int64(n))
	return n, err
}

// File is the local file behind a source, nil if there is none.
func (s *Source) File() *os.File { return s.file }

// Share is which part of the source was read, from 0 to 1; ok is false where that cannot
// be said.
func (s *Source) Share() (share float64, ok bool) {
	read := s.read.Load()
	return min(float64(read)/float64(max(s.size, 1)), 1), s.size > 0 && read > 0
}

// SameFile reports whether two names, paths or store URLs, are of one object.
func SameFile(a, b string) bool {
	name := func(s string) string {
		s, _, _ = strings.Cut(s, "?")
		return s
	}
	_, _, remote := storage.SplitURL(a)
	return remote && name(a) == name(b)
}
