package device_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/device"
)

// hostileLibrary compiles a library that passes for a plugin; code in it that runs when it
// is loaded writes the file ran. There is none where no C compiler is.
func hostileLibrary(t *testing.T) (library, ran string) {
	t.Helper()
	if !device.HasXLA {
		t.Skip("this build loads no plugin")
	}
	cc, err := exec.LookPath("cc")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("cc is missing: install a C compiler")
		}
		t.Skip("a plugin is made by a C compiler")
	}
	dir := t.TempDir()
	ran = filepath.Join(dir, "ran")
	source := filepath.Join(dir, "hostile.c")
	text := fmt.Sprintf(`#include <stdio.h>
__attribute__((constructor)) static void loaded(void) { FILE *f = fopen("%s", "w"); if (f) fclose(f); }
void *GetPjrtApi(void) { return 0; }
`, ran)
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	library = filepath.Join(dir, "hostile_pjrt.so")
	if out, err := exec.Command(cc, "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		t.Skipf("cc makes no library here: %v\n%s", err, out)
	}
	return library, ran
}

// hostileCache copies the cache's entry of the CPU plugin, with another library in the
// plugin's place and every list in the entry made to agree with it.
func hostileCache(t *testing.T, library string) string {
	t.Helper()
	if !device.Pinned(device.CPU) {
		t.Skip("no plugin is pinned for this platform")
	}
	info, err := device.Install(t.Context(), device.CPU, device.Options{CacheDir: cache(), Getenv: none, HasGPU: noGPU})
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.EvalSymlinks(cache())
	if err != nil {
		t.Fatal(err)
	}
	plugin, err := filepath.Rel(root, info.Path)
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile(library)
	if err != nil {
		t.Fatal(err)
	}
	old, err := hex.DecodeString(strings.TrimPrefix(info.Digest, "sha256:"))
	if err != nil {
		t.Fatal(err)
	}
	size, err := os.Stat(info.Path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(code)
	agree := strings.NewReplacer(
		hex.EncodeToString(old), hex.EncodeToString(sum[:]),
		base64.RawURLEncoding.EncodeToString(old), base64.RawURLEncoding.EncodeToString(sum[:]),
		fmt.Sprint(size.Size()), fmt.Sprint(len(code)),
	)
	entry, _, _ := strings.Cut(plugin, string(filepath.Separator))
	to := t.TempDir()
	err = filepath.WalkDir(filepath.Join(root, entry), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		data := code
		if rel != plugin {
			if data, err = os.ReadFile(path); err != nil {
				return err
			}
			data = []byte(agree.Replace(string(data)))
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, rel)), 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func refuses(t *testing.T, ran string, err error, want string) {
	t.Helper()
	if _, missing := os.Stat(ran); missing == nil {
		t.Error("the library's code ran")
	}
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want a refusal with %q", err, want)
	}
}

// TestHostileCacheRunsNoCode: a cache that somebody else made, all of whose lists agree with
// the library in it, is no reason to load that library.
func TestHostileCacheRunsNoCode(t *testing.T) {
	library, ran := hostileLibrary(t)
	o := device.Options{CacheDir: hostileCache(t, library), Offline: true, Getenv: none, HasGPU: noGPU}
	d, err := device.Open(t.Context(), device.CPU, o)
	refuses(t, ran, err, "pinned is")
	if err == nil {
		d.Close()
	}
	if info := device.List(t.Context(), o)[1]; !strings.Contains(info.Err, "damaged") {
		t.Errorf("listed as %+v", info)
	}
}

// TestSharedCacheIsRefused: where others can put a plugin, none is loaded, and auto chooses no
// other device: somebody may have tampered with this machine.
func TestSharedCacheIsRefused(t *testing.T) {
	if !device.HasXLA || !device.Pinned(device.CPU) {
		return // this build loads no plugin from a cache
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{device.CPU, device.Auto} {
		d, err := device.Open(t.Context(), name, device.Options{CacheDir: dir, Offline: true, Getenv: none, HasGPU: noGPU})
		if err == nil {
			d.Close()
		}
		if err == nil || !strings.Contains(err.Error(), dir+" can be changed by others") || !strings.Contains(err.Error(), "chmod go-w "+dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOwnPluginOfAnybody: the user names a plugin, but not one that every user could have put
// there, nor one that depends on where the user stands.
func TestOwnPluginOfAnybody(t *testing.T) {
	library, ran := hostileLibrary(t)
	code, err := os.ReadFile(library)
	if err != nil {
		t.Fatal(err)
	}
	place := func(folder, file fs.FileMode) string {
		dir := t.TempDir()
		path := filepath.Join(dir, "mine_pjrt.so")
		err := errors.Join(os.WriteFile(path, code, 0o600), os.Chmod(path, file), os.Chmod(dir, folder))
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	private := place(0o755, 0o755)
	t.Chdir(filepath.Dir(private))
	for value, want := range map[string]string{
		"mine_pjrt.so":                      "write its absolute path",
		".":                                 "write its absolute path",
		place(0o777, 0o755):                 "can be changed by every user",
		filepath.Dir(place(0o777, 0o755)):   "can be changed by every user",
		place(0o755, 0o757):                 "can be changed by every user",
		place(fs.ModeSticky|0o777, 0o775):   "can be changed by others",
		filepath.Dir(place(0o1777, 0o0757)): "can be changed by", // 0o1777 has no sticky bit in Go's modes
	} {
		o := device.Options{Getenv: func(string) string { return value }, HasGPU: noGPU}
		_, err := device.Open(t.Context(), device.CPU, o)
		refuses(t, ran, err, want)
		if info := device.List(t.Context(), o)[1]; info.Err == "" {
			t.Errorf("%s: listed as usable", value)
		}
	}
}
