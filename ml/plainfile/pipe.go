package plainfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// OpenPipe opens a plain file, or a pipe: a fifo, or what a shell makes of <(command).
// It waits for who writes the pipe, and what it returns for the bytes, until ctx ends;
// then both fail with its cause. The caller closes it.
func OpenPipe(ctx context.Context, path string) (io.ReadCloser, error) {
	if info, err := os.Stat(path); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		return Open(path)
	}
	type result struct {
		f   *os.File
		err error
	}
	opened := make(chan result, 1)
	go func() {
		f, err := os.Open(path)
		opened <- result{f, err}
	}()
	select {
	case r := <-opened:
		if r.err != nil {
			return nil, r.err
		}
		// Closing a pipe ends a read that waits.
		return &pipe{r.f, ctx, context.AfterFunc(ctx, func() { r.f.Close() })}, nil
	case <-ctx.Done():
		// A writer that comes and goes ends the waiting.
		if w, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
			w.Close()
		}
		go func() {
			if r := <-opened; r.err == nil {
				r.f.Close()
			}
		}()
		return nil, &fs.PathError{Op: "open", Path: path, Err: context.Cause(ctx)}
	}
}

type pipe struct {
	f    *os.File
	ctx  context.Context
	stop func() bool
}

func (p *pipe) Read(b []byte) (int, error) {
	n, err := p.f.Read(b)
	if err != nil && p.ctx.Err() != nil {
		err = &fs.PathError{Op: "read", Path: p.f.Name(), Err: context.Cause(p.ctx)}
	}
	return n, err
}

func (p *pipe) Close() error {
	p.stop()
	return p.f.Close()
}

// OpenToWrite opens a file for writing as os.OpenFile does, with mode 0644 for a new one.
// It does not wait for a reader of a fifo: one that nobody reads is an error.
func OpenToWrite(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|os.O_WRONLY|syscall.O_NONBLOCK, 0o644)
	if errors.Is(err, syscall.ENXIO) {
		err = &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("%w: it is a fifo that nobody reads", ErrRefused)}
	}
	return f, err
}
