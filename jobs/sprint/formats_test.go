package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReleasedFormats: stores that earlier programs wrote, one for each format of
// records, are read for ever. testdata/stores holds what format's writer left of a
// plan with a stage that succeeds and one that fails, a release of two texts, an
// alias and a checkpoint.
func TestReleasedFormats(t *testing.T) {
	for _, format := range []string{"format-1", "format-2"} {
		t.Run(format, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(filepath.Join(dir, "store"), os.DirFS(filepath.Join("testdata/stores", format))); err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct {
				args []string
				code int
				want string
			}{
				{[]string{"runs"}, 0, "failed"},
				{[]string{"status"}, 0, "sh ended with exit status 3: oops"},
				{[]string{"logs"}, 0, "oops"},
				{[]string{"artifacts", "cat", "make.rows"}, 0, "one\n"},
				{[]string{"artifacts", "cat", "make.tree/config.json"}, 0, "two\n"},
				{[]string{"artifacts", "ls", "news@latest"}, 0, "README.md"},
				{[]string{"store", "check", "--read-data"}, 0, "the store is whole"},
				{[]string{"store", "copy", "store", "copy"}, 0, "copied"},
				{[]string{"trace", "make.rows"}, 0, "make"},
				{[]string{"promote", "news", "1", "champion"}, 0, "champion"},
				{[]string{"gc"}, 0, "WOULD DELETE"},
				{[]string{"unlock"}, 0, ""},
			} {
				code, out, stderr := exec(t, dir, append(c.args, "--store", "store")...)
				if code != c.code || !strings.Contains(out, c.want) {
					t.Errorf("%v: code %d, %s%s; want %d and %q", c.args, code, out, stderr, c.code, c.want)
				}
			}
		})
	}
}

// TestStoreCopy: the ends of `store copy` that a script asks for.
func TestStoreCopy(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "store"), os.DirFS("testdata/stores/format-2")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"nowhere", "copy"}, 4, "no such file"},
		{[]string{"store", "store"}, 2, "same store"},
		{[]string{"store", "store/inside"}, 2, "lies in the other"},
		{[]string{"store", "store/../store/"}, 2, "same store"},
		{[]string{"store", "copy"}, 0, "copied "},
		{[]string{"store", "copy"}, 0, "copied 0 objects"},
		{[]string{"store", "copy", "-o", "json"}, 0, `"copied":0`},
	} {
		code, out, stderr := exec(t, dir, append([]string{"store", "copy"}, c.args...)...)
		if code != c.code || !strings.Contains(out+stderr, c.want) {
			t.Errorf("%v: code %d, %s%s; want %d and %q", c.args, code, out, stderr, c.code, c.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a store that was to be copied was made")
	}
	file := filepath.Join(dir, "store/models/news/1/files/config.json")
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("[]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, stderr := exec(t, dir, "store", "copy", "store", "third")
	if code != 9 || !strings.Contains(out, "BAD models/news/1/files/config.json") || !strings.Contains(stderr, "sprint store check --store") {
		t.Errorf("a damaged store: code %d, %s%s", code, out, stderr)
	}
}
