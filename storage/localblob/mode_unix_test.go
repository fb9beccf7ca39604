//go:build unix

package localblob

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestModes: what a store holds is its owner's alone, unless the folder was made
// before and says otherwise.
func TestModes(t *testing.T) {
	for name, c := range map[string]struct {
		made         fs.FileMode // of the folder before the bucket is opened; 0 is none
		umask        int
		folder, file fs.FileMode
	}{
		"a new folder":           {0, 0o022, 0o700, 0o600},
		"a new one, open umask":  {0, 0, 0o700, 0o600},
		"a private one":          {0o700, 0o022, 0o700, 0o600},
		"one that all may read":  {0o755, 0o022, 0o755, 0o644},
		"one of a group":         {0o770 | fs.ModeSetgid, 0o022, 0o770, 0o660},
		"a group's, tight umask": {0o770 | fs.ModeSetgid, 0o077, 0o770, 0o660},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "above", "store")
			if c.made != 0 {
				if err := os.MkdirAll(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(dir, c.made); err != nil {
					t.Fatal(err)
				}
			}
			defer syscall.Umask(syscall.Umask(c.umask))
			b := openBucket(t, dir)
			if err := b.WriteAll(context.Background(), "runs/a/log", []byte("x"), nil); err != nil {
				t.Fatal(err)
			}
			if err := Reserve(dir); err != nil {
				t.Fatal(err)
			}
			err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				info, err := d.Info()
				if err != nil {
					return err
				}
				want := c.file
				if d.IsDir() {
					want = c.folder
				}
				if got := info.Mode().Perm(); got != want && d.Name() != "reserve" {
					t.Errorf("%s has mode %#o, want %#o", path, got, want)
				}
				if d.IsDir() && info.Mode()&fs.ModeSetgid != c.made&fs.ModeSetgid {
					t.Errorf("%s: setgid is %v, the store's folder says otherwise", path, info.Mode()&fs.ModeSetgid)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(filepath.Dir(dir)); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("the folder above has mode %v: %v", info.Mode(), err)
			}
		})
	}
}
