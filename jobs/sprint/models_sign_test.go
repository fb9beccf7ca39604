package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage/models/signature/signaturetest"
)

// TestSignFolder: a folder is signed once, as `models verify` demands; what is signed
// otherwise, is no folder or no key is refused, and nothing is written.
func TestSignFolder(t *testing.T) {
	private, public := signaturetest.Pair(t)
	otherPrivate, other := signaturetest.Pair(t)
	dir := t.TempDir()
	write(t, dir, map[string]string{"release.key": private, "release.pub": public, "other.key": otherPrivate, "other.pub": other})
	folder := filepath.Join(dir, "news")
	for _, name := range []string{"deep/er.txt", "config.json", ".git/HEAD"} {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sig := filepath.Join(folder, "model.sig")
	ends := func(want int, line string, says ...string) string {
		t.Helper()
		before, _ := os.ReadFile(sig)
		code, stdout, stderr := exec(t, dir, strings.Fields(line)...)
		if code != want {
			t.Fatalf("%s: code %d: %s%s", line, code, stdout, stderr)
		}
		for _, text := range says {
			if !strings.Contains(stdout+stderr, text) {
				t.Errorf("%s: no %q in %s%s", line, text, stdout, stderr)
			}
		}
		if after, _ := os.ReadFile(sig); want != 0 && string(after) != string(before) {
			t.Errorf("%s: it wrote %q", line, after)
		}
		if strings.Contains(stdout+stderr, strings.Split(private, "\n")[1]) {
			t.Errorf("%s: it shows the key", line)
		}
		return stdout
	}
	ends(2, "models sign news", "which private key signs")
	ends(2, "models sign news --key file:none.key", "none.key")
	ends(2, "models sign news --key file:release.pub", "no private key")
	ends(2, "models sign none --key file:release.key", "is no folder")
	ends(2, "models sign news --key file:release.key --name A/b", "is no model name")
	signed := ends(0, "models sign news --key file:release.key", "2 files of the model \"news\"")
	once, err := os.ReadFile(sig)
	if err != nil {
		t.Fatal(err)
	}
	if again := ends(0, "models sign ./news/ --key file:release.key"); again != signed {
		t.Errorf("it says %q, and the second time %q", signed, again)
	}
	if twice, _ := os.ReadFile(sig); string(twice) != string(once) {
		t.Error("the second signature is another one")
	}
	ends(0, "models verify ./news --key release.pub", "every byte as it was signed")
	ends(9, "models verify ./news --key other.pub", "signed by another key")
	ends(10, "models sign news --key file:other.key", "signed already", "another key", "model.sig")
	ends(10, "models sign news --key file:release.key --name other-news", "signed already", "the model news")
	write(t, folder, map[string]string{"added.py": "x"})
	ends(9, "models verify ./news --key release.pub", "there and not signed")
	ends(10, "models sign news --key file:release.key", "signed already", "added.py")
	if err := os.Remove(sig); err != nil {
		t.Fatal(err)
	}
	var said struct {
		Signer, Model string
		Files         int
	}
	if err := json.Unmarshal([]byte(ends(0, "models sign news --key file:release.key --name swedish-news -o json")), &said); err != nil || said.Model != "swedish-news" || said.Files != 3 {
		t.Errorf("%v: %+v", err, said)
	}
	// A statement of a run that is none would have readers refuse the folder: it is not signed.
	if err := os.Remove(sig); err != nil {
		t.Fatal(err)
	}
	write(t, folder, map[string]string{"provenance.sig": "{}"})
	ends(9, "models sign news --key file:release.key", "the statement of its run")
	if err := os.Remove(filepath.Join(folder, "provenance.sig")); err != nil {
		t.Fatal(err)
	}
	write(t, folder, map[string]string{"manifest.json": `{"format":1,"files":{"config.json":{"sha256":"00","size":1}}}`})
	ends(9, "models sign news --key file:release.key", "config.json")
	write(t, dir, map[string]string{"empty.txt": ""})
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	ends(1, "models sign empty --key file:release.key", "there are no files")
}
