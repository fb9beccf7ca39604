//go:build unix

package localblob

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob"
	"golang.org/x/sys/unix"
)

// TestHeldLock: whoever may open the folder of a store can hold its locks for ever. A
// write that needs one ends with its context, or says what it waits for.
func TestHeldLock(t *testing.T) {
	dir := t.TempDir()
	d, err := open(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	d.lockLimit = 50 * time.Millisecond
	b := blob.NewBucket(d)
	defer b.Close()
	if err := b.WriteAll(t.Context(), "record", []byte("one"), nil); err != nil {
		t.Fatal(err)
	}
	swap := func(ctx context.Context) error {
		attributes, err := b.Attributes(t.Context(), "record")
		if err != nil {
			t.Fatal(err)
		}
		return b.WriteAll(ctx, "record", []byte("two"), &blob.WriterOptions{BeforeWrite: func(as func(any) bool) error {
			var c *Condition
			if !as(&c) {
				t.Error("no condition")
			}
			c.Version = attributes.ETag
			return nil
		}})
	}
	var held []*os.File
	for n := range 256 {
		f, err := os.OpenFile(filepath.Join(dir, tmpDir, fmt.Sprintf("l-%02x", n)), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
			t.Fatal(err)
		}
		held = append(held, f)
	}
	name := filepath.Join(dir, tmpDir, "l-")
	if err := swap(t.Context()); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "fuser") {
		t.Errorf("a lock that is held for long: %v", err)
	}
	d.lockLimit = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := swap(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), name) {
		t.Errorf("a deadline that ends while a lock is held: %v", err)
	}
	for _, f := range held {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := swap(t.Context()); err != nil {
		t.Errorf("once they are free: %v", err)
	}
}
