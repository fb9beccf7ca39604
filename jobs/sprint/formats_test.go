package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage"
)

// TestReleasedFormats: stores that earlier programs wrote, one for each format of
// records, are read for ever. testdata/stores holds what format's writer left of a
// plan with a stage that succeeds and one that fails, a release of two texts, an
// alias and a checkpoint. The one of format 3 is signed, with the key that lies beside
// it, which guards nothing.
func TestReleasedFormats(t *testing.T) {
	for _, format := range []string{"format-1", "format-2", "format-3"} {
		t.Run(format, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(filepath.Join(dir, "store"), os.DirFS(filepath.Join("testdata/stores", format))); err != nil {
				t.Fatal(err)
			}
			var key []string
			if format == "format-3" {
				text, err := os.ReadFile("testdata/stores/test-key-of-format-3")
				if err != nil {
					t.Fatal(err)
				}
				write(t, dir, map[string]string{"key": string(text), "key.yaml": "store_key: file:key\n", "other": strings.Repeat("x", 64), "other.yaml": "store_key: file:other\n"})
				key = []string{"--config", "key.yaml"}
				if code, out, stderr := exec(t, dir, "artifacts", "cat", "make.rows", "--store", "store", "--config", "other.yaml"); code != 9 {
					t.Errorf("with another key: code %d, %s%s", code, out, stderr)
				}
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
				{[]string{"promote", "news@1"}, 0, "champion"},
				{[]string{"gc"}, 0, "WOULD DELETE"},
				{[]string{"unlock"}, 0, ""},
			} {
				code, out, stderr := exec(t, dir, append(append(c.args, "--store", "store"), key...)...)
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

// TestBrokenRelease: a release and an alias that cannot be read are named, and hide
// nothing of the others.
func TestBrokenRelease(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "store"), os.DirFS("testdata/stores/format-2")); err != nil {
		t.Fatal(err)
	}
	second, third := filepath.Join(dir, "store/models/news/2"), filepath.Join(dir, "store/models/news/aliases/third")
	if err := os.Mkdir(second, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, second, map[string]string{"release.json": "broken"})
	if err := os.WriteFile(third, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		words string
		code  int
		says  []string
	}{
		{"trace news@latest", 9, []string{"released as news@1 (latest)", "models/news/2/release.json", "models/news/aliases/third", "sprint store check --store store"}},
		{"trace news@latest -o json", 9, []string{`"releases":[{"name":"news","version":1,"aliases":["latest"]`, "models/news/2/release.json"}},
		{"artifacts ls news@1", 0, []string{"README.md"}},
		{"artifacts ls news@2", 9, []string{"models/news/2/release.json"}},
		{"artifacts ls", 0, []string{"make.rows"}},
		{"report -o md", 0, []string{"# "}},
		{"store check", 9, []string{"BAD models/news/2/release.json: damaged", "BAD models/news/aliases/third: damaged"}},
	} {
		code, out, stderr := exec(t, dir, append(strings.Fields(c.words), "--store", "store")...)
		for _, text := range c.says {
			if code != c.code || !strings.Contains(out+stderr, text) {
				t.Errorf("%s: code %d, want %d and %q:\n%s%s", c.words, code, c.code, text, out, stderr)
			}
		}
	}
}

// TestHostileManifest: a record that names its input by what is no digest is shown as it is, and
// one that names its output by a place elsewhere has it written here.
func TestHostileManifest(t *testing.T) {
	dir := t.TempDir()
	s, err := storage.Open(t.Context(), filepath.Join(dir, "store"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	made, err := s.Put(t.Context(), strings.NewReader("rows"), "text/plain")
	if err != nil {
		t.Fatal(err)
	}
	made.Name = "../rows"
	m := storage.Manifest{Format: 1, Kind: "make", Key: strings.Repeat("a", 64), Generation: 1, Preimage: []byte("{}"), Inputs: map[string]string{"seed": "abc"}, Outputs: []storage.Artifact{made}, Run: "r", Stage: "make"}
	if _, _, err := s.Commit(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if code, out, stderr := exec(t, dir, "trace", made.Digest, "--store", "store"); code != 0 || !strings.Contains(out, "of seed  sha256:abc") {
		t.Errorf("code %d:\n%s%s", code, out, stderr)
	}
	below := filepath.Join(dir, "below")
	if err := os.Mkdir(below, 0o700); err != nil {
		t.Fatal(err)
	}
	code, out, stderr := exec(t, below, "artifacts", "get", made.Digest, "--store", "../store")
	if data, err := os.ReadFile(filepath.Join(below, made.Digest[len("sha256:"):][:12])); code != 0 || err != nil || string(data) != "rows" {
		t.Errorf("code %d, %v:\n%s%s", code, err, out, stderr)
	}
}
