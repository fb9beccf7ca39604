package wheel_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/ml/wheel"
)

// index is a stand-in for pip and its index: a script that answers
// `-m pip download ... --dest DIR` with the wheel lying beside it, counts its
// calls, and can be told to fail.
type index struct {
	dir, python string
	pin         wheel.Pin
}

func newIndex(t *testing.T, members map[string]string) *index {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in for pip is a shell script")
	}
	record := recordOf(members)
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range with(members, recordPath, record) {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	x := &index{dir: t.TempDir(), pin: wheel.Pin{Name: "thing", Version: "1.2", SHA256: digest(b.String()), Record: digest(record), Size: 2_000_000, Hint: "pass a folder"}}
	x.python = filepath.Join(x.dir, "python3")
	x.write(t, "thing.whl", b.Bytes(), 0o644)
	x.script(t, "")
	return x
}

// recordPath is where the wheel of newIndex has its RECORD.
const recordPath = "thing-1.2.dist-info/RECORD"

// recordOf is the RECORD of a wheel with these files.
func recordOf(members map[string]string) string {
	out := recordPath + ",,\n"
	for name, content := range members {
		sum := sha256.Sum256([]byte(content))
		out += fmt.Sprintf("%s,sha256=%s,%d\n", name, base64.RawURLEncoding.EncodeToString(sum[:]), len(content))
	}
	return out
}

func with(members map[string]string, name, content string) map[string]string {
	out := maps.Clone(members)
	out[name] = content
	return out
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func (x *index) write(t *testing.T, name string, data []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(x.dir, name), data, mode); err != nil {
		t.Fatal(err)
	}
}

// script replaces the interpreter; extra runs before the wheel is delivered.
func (x *index) script(t *testing.T, extra string) {
	t.Helper()
	x.write(t, "python3", fmt.Appendf(nil, `#!/bin/sh
echo call >> %[1]s/calls
echo "$@" > %[1]s/args
while [ $# -gt 0 ]; do
	case $1 in --dest) dest=$2;; -r) cp $2 %[1]s/reqs;; esac
	shift
done
%[2]s
mkdir -p $dest && cp %[1]s/thing.whl $dest/
`, x.dir, extra), 0o755)
}

func (x *index) calls(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(x.dir, "calls"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return bytes.Count(data, []byte("\n"))
}

func TestFetch(t *testing.T) {
	x := newIndex(t, map[string]string{"thing/a.txt": "A", "thing/sub/b.txt": "B", "other/c.txt": "C"})
	x.pin.Keep = []string{"thing/"}
	cache := filepath.Join(t.TempDir(), "cache")
	var said []string
	o := wheel.Options{Python: x.python, Announce: func(s string) { said = append(said, s) }}
	dir, err := wheel.Fetch(t.Context(), x.pin, cache, o)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "thing", "sub", "b.txt")); err != nil || string(data) != "B" {
		t.Fatalf("%q, %v", data, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "other")); err == nil {
		t.Error("a member that is not kept was unpacked")
	}
	if len(said) != 1 || said[0] != "fetching thing 1.2 (2 MB) with pip, kept in "+dir {
		t.Errorf("announced %q", said)
	}
	args, _ := os.ReadFile(filepath.Join(x.dir, "args"))
	reqs, _ := os.ReadFile(filepath.Join(x.dir, "reqs"))
	if s := string(args); !strings.HasPrefix(s, "-m pip download --no-deps --require-hashes --only-binary=:all: ") || string(reqs) != "thing==1.2 --hash=sha256:"+x.pin.SHA256+"\n" {
		t.Errorf("pip was run with %s and %s", args, reqs)
	}
	if sum, err := wheel.FileDigest(dir, x.pin, "thing/a.txt"); err != nil || sum != "559aead08264d5795d3909718cdd05abd49572e84fe55590eef31a88a08fdffd" {
		t.Errorf("%s, %v", sum, err)
	}
	// The second time, and offline, nothing is run.
	o.Offline = true
	if again, err := wheel.Fetch(t.Context(), x.pin, cache, o); err != nil || again != dir || x.calls(t) != 1 {
		t.Errorf("%s, %v, %d calls", again, err, x.calls(t))
	}
	// Damage is found; offline it is refused, online mended.
	if err := os.WriteFile(filepath.Join(dir, "thing", "a.txt"), []byte("X"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := wheel.Fetch(t.Context(), x.pin, cache, o); !errors.Is(err, wheel.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
	o.Offline = false
	if _, err := wheel.Fetch(t.Context(), x.pin, cache, o); err != nil {
		t.Error(err)
	}
	if data, _ := os.ReadFile(filepath.Join(dir, "thing", "a.txt")); string(data) != "A" {
		t.Errorf("not mended: %q", data)
	}
	onlyEntry(t, cache, filepath.Base(dir))
	private(t, cache)
}

// private checks that no other user may read or change what a cache holds.
func private(t *testing.T, cache string) {
	t.Helper()
	err := filepath.WalkDir(cache, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := d.Info(); err != nil || info.Mode()&0o077 != 0 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// onlyEntry checks that the cache holds nothing but the entry and locks.
func onlyEntry(t *testing.T, cache, want string) {
	t.Helper()
	entries, err := os.ReadDir(cache)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != want && !strings.HasSuffix(e.Name(), ".lock") {
			t.Errorf("left in the cache: %s", e.Name())
		}
	}
}

func TestFailuresLeaveNothingAndSayWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		kind   error
		want   string
	}{
		"no pip module": {"echo 'python3: No module named pip' >&2; exit 1", wheel.ErrNoPip, "python3-pip"},
		"no network":    {"echo 'WARNING: Retrying' >&2; echo 'ERROR: No matching distribution found for thing' >&2; exit 1", wheel.ErrDownload, "No matching distribution"},
		"wrong hash":    {"echo 'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.' >&2; exit 1", wheel.ErrCorrupt, "pinned"},
		"other bytes":   {"mkdir -p $dest; echo evil > $dest/thing.whl; exit 0", wheel.ErrCorrupt, "pinned is"},
		"no wheel":      {"exit 0", wheel.ErrDownload, "0 wheels"},
	} {
		x := newIndex(t, map[string]string{"a": "A"})
		x.script(t, c.script)
		cache := t.TempDir()
		_, err := wheel.Fetch(t.Context(), x.pin, cache, wheel.Options{Python: x.python})
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "thing 1.2") {
			t.Errorf("%s: got %v", name, err)
		}
		onlyEntry(t, cache, "")
	}
	x := newIndex(t, map[string]string{"a": "A"})
	if _, err := wheel.Fetch(t.Context(), x.pin, t.TempDir(), wheel.Options{Python: filepath.Join(x.dir, "no-such-python")}); !errors.Is(err, wheel.ErrNoPip) || !strings.Contains(err.Error(), "pass a folder") {
		t.Errorf("got %v", err)
	}
	if _, err := wheel.Fetch(t.Context(), x.pin, t.TempDir(), wheel.Options{Offline: true, Python: x.python}); !errors.Is(err, wheel.ErrOffline) || x.calls(t) != 0 {
		t.Errorf("got %v, %d calls", err, x.calls(t))
	}
}

func TestHostileMembersAreRefused(t *testing.T) {
	for _, member := range []string{"../evil", "/evil", `a\..\..\evil`, ".sprint-checked.json"} {
		x := newIndex(t, map[string]string{member: "x", "ok": "y"})
		cache := t.TempDir()
		if _, err := wheel.Fetch(t.Context(), x.pin, cache, wheel.Options{Python: x.python}); !errors.Is(err, wheel.ErrCorrupt) {
			t.Errorf("%s: got %v", member, err)
		}
		onlyEntry(t, cache, "")
	}
}

func TestTwoAtOnceFetchOnce(t *testing.T) {
	x := newIndex(t, map[string]string{"a": "A"})
	x.script(t, "sleep 0.3")
	cache := t.TempDir()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := wheel.Fetch(t.Context(), x.pin, cache, wheel.Options{Python: x.python}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := x.calls(t); n != 1 {
		t.Errorf("pip ran %d times", n)
	}
}

func TestCancelLeavesNothing(t *testing.T) {
	x := newIndex(t, map[string]string{"a": "A"})
	x.script(t, "exec sleep 30")
	cache := t.TempDir()
	// What a killed fetch left is swept by the next one.
	stale := filepath.Join(cache, ".fetch-"+filepath.Base(wheel.Dir(x.pin, cache))+"-123")
	if err := os.Mkdir(stale, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if _, err := wheel.Fetch(ctx, x.pin, cache, wheel.Options{Python: x.python}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("took %v", d)
	}
	onlyEntry(t, cache, "")
}
