package localblob

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/blob/drivertest"
	"gocloud.dev/gcerrors"
)

type harness struct{ dir string }

func (h harness) MakeDriver(context.Context) (driver.Bucket, error) {
	return open(h.dir, slog.New(slog.DiscardHandler))
}

func (h harness) MakeDriverForNonexistentBucket(context.Context) (driver.Bucket, error) {
	return nil, nil // opening creates the folder
}

func (h harness) HTTPClient() *http.Client         { return nil }
func (h harness) SupportsCopy() bool               { return true }
func (h harness) SupportsNonSlashDelimiters() bool { return false }
func (h harness) SkipDownloadAt() bool             { return false }
func (h harness) Close()                           {}

// TestConformance runs gocloud's own suite. TestMain leaves out of it what the
// driver refuses on purpose.
func TestConformance(t *testing.T) {
	drivertest.RunConformanceTests(t, func(context.Context, *testing.T) (drivertest.Harness, error) {
		return harness{t.TempDir()}, nil
	}, nil)
}

func openBucket(t testing.TB, dir string) *blob.Bucket {
	t.Helper()
	b, err := OpenBucket(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// TestSymlink: nothing outside the folder is read, listed or written.
func TestSymlink(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := openBucket(t, filepath.Join(dir, "b"))
	for link, target := range map[string]string{"file": outside, "folder": filepath.Dir(outside)} {
		if err := os.Symlink(target, filepath.Join(dir, "b", link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"file", "folder/secret"} {
		if data, err := b.ReadAll(ctx, key); err == nil {
			t.Errorf("read %q through a link: %q", key, data)
		}
	}
	if err := b.WriteAll(ctx, "folder/new", []byte("x"), nil); err == nil {
		t.Error("wrote through a link")
	}
	if err := b.WriteAll(ctx, "file", []byte("mine"), nil); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(outside); err != nil || string(data) != "secret" {
		t.Errorf("the file outside is %q, %v", data, err)
	}
	objects := b.List(nil)
	for {
		o, err := objects.Next(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if o.Key != "file" {
			t.Errorf("listed %q", o.Key)
		}
	}
}

// TestVersion: a key never has the version again that it had before, however
// fast it changes and whatever the file system's clock and inodes do.
func TestVersion(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	b, file := openBucket(t, dir), filepath.Join(dir, "k")
	read := func() Version {
		r, err := b.NewReader(ctx, "k", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var v Version
		if !r.As(&v) || v == "" {
			t.Fatal("the reader has no version")
		}
		return v
	}
	if err := b.WriteAll(ctx, "k", []byte("0"), nil); err != nil {
		t.Fatal(err)
	}
	// A clock that was set back stands for one that stands still.
	future := time.Now().Add(time.Hour)
	if err := os.Chtimes(file, future, future); err != nil {
		t.Fatal(err)
	}
	last := future
	seen := map[Version]bool{}
	for i := range 300 {
		v := read()
		if seen[v] {
			t.Fatalf("after %d writes version %s is there again", i, v)
		}
		seen[v] = true
		swap := func(v Version) error {
			return b.WriteAll(ctx, "k", []byte("x"), &blob.WriterOptions{BeforeWrite: func(as func(any) bool) error {
				var c *Condition
				if !as(&c) {
					t.Fatal("the writer takes no condition")
				}
				c.Version = string(v)
				return nil
			}})
		}
		if err := swap(v); err != nil {
			t.Fatal(err)
		}
		if err := swap(v); gcerrors.Code(err) != gcerrors.FailedPrecondition {
			t.Fatalf("a stale swap: %v", err)
		}
		fi, err := os.Stat(file)
		if err != nil || !fi.ModTime().After(last) {
			t.Fatalf("write %d is stamped %v, not after %v (%v)", i, fi.ModTime(), last, err)
		}
		last = fi.ModTime()
	}
}

// TestSweepTemp: what dead writers left goes, what live ones write stays.
func TestSweepTemp(t *testing.T) {
	dir := t.TempDir()
	b := openBucket(t, dir)
	w, err := b.NewWriter(t.Context(), "k", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	orphan := filepath.Join(dir, tmpDir, "w-dead")
	if err := os.WriteFile(orphan, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-orphanAge - time.Hour)
	if err := os.Chtimes(orphan, old, old); err != nil {
		t.Fatal(err)
	}
	openBucket(t, dir)
	if _, err := os.Stat(orphan); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the orphan is still there: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("the live writer: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, tmpDir, "w-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left %q, %v", left, err)
	}
}

func BenchmarkWrite4K(b *testing.B) {
	bucket, data := openBucket(b, b.TempDir()), make([]byte, 4096)
	for b.Loop() {
		if err := bucket.WriteAll(b.Context(), "k", data, nil); err != nil {
			b.Fatal(err)
		}
	}
}
