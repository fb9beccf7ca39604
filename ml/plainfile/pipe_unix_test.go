//go:build unix

package plainfile_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/sprint-ml/sprint/ml/plainfile"
)

// TestPipe: a fifo is read to its end once somebody writes it; until then, and while the
// writer is silent, the end of the context ends the waiting, with its cause.
func TestPipe(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Skip(err)
	}
	go func() { _ = os.WriteFile(fifo, []byte("text"), 0) }()
	r, err := plainfile.OpenPipe(t.Context(), fifo)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(r); err != nil || string(data) != "text" {
		t.Errorf("read %q, %v", data, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}

	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := plainfile.OpenPipe(ctx, fifo); !errors.Is(err, why) {
		t.Errorf("nobody writes: %v", err)
	}

	ctx, cancel = context.WithCancelCause(t.Context())
	both, err := os.OpenFile(fifo, os.O_RDWR, 0) // a writer, and a silent one
	if err != nil {
		t.Fatal(err)
	}
	defer both.Close()
	if r, err = plainfile.OpenPipe(ctx, fifo); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ended := make(chan error)
	go func() {
		_, err := r.Read(make([]byte, 1))
		ended <- err
	}()
	cancel(why)
	if err := <-ended; !errors.Is(err, why) {
		t.Errorf("a silent writer: %v", err)
	}
}

// TestOpenToWrite: a fifo is written if somebody reads it, and refused if not.
func TestOpenToWrite(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := plainfile.OpenToWrite(fifo, os.O_CREATE); !errors.Is(err, plainfile.ErrRefused) {
		t.Errorf("nobody reads: %v", err)
	}
	reader, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	w, err := plainfile.OpenToWrite(fifo, os.O_CREATE|os.O_TRUNC)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.WriteString("text"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(reader, got); err != nil || string(got) != "text" {
		t.Errorf("the reader got %q, %v", got, err)
	}
}
