package localblob

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"gocloud.dev/gcerrors"
	"golang.org/x/sys/unix"
)

// asNobody runs f on a thread whose file rights are those of an ordinary user,
// even if the tests run as root, whom no mode stops.
func asNobody(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if os.Geteuid() == 0 {
			_ = unix.Setfsuid(65534)
		}
		f()
	}()
	<-done
}

// TestReadOnly: a folder that may not be written is read, and a write says
// where it failed.
func TestReadOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	if err := os.Mkdir(dir, 0o755); err != nil { // one that others may read
		t.Fatal(err)
	}
	b := openBucket(t, dir)
	if err := b.WriteAll(t.Context(), "a/b", []byte("x"), nil); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"", "a", tmpDir} {
		if err := os.Chmod(filepath.Join(dir, d), 0o555); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(filepath.Dir(dir)), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, d := range []string{"", "a", tmpDir} {
			_ = os.Chmod(filepath.Join(dir, d), 0o755)
		}
	})
	asNobody(func() {
		if data, err := b.ReadAll(t.Context(), "a/b"); err != nil || string(data) != "x" {
			t.Errorf("read %q, %v", data, err)
		}
		err := b.WriteAll(t.Context(), "a/c", []byte("x"), nil)
		if gcerrors.Code(err) != gcerrors.PermissionDenied || !strings.Contains(err.Error(), dir) {
			t.Errorf("write: %v; want permission denied, naming %s", err, dir)
		}
		if err := b.Delete(t.Context(), "a/b"); gcerrors.Code(err) != gcerrors.PermissionDenied {
			t.Errorf("delete: %v; want permission denied", err)
		}
	})
}
