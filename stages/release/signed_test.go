package release

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/models/signature"
	"github.com/sprint-ml/sprint/storage/models/signature/signaturetest"
)

// signer is a new key, and the trust in it alone.
func signer(t *testing.T) (*signature.PrivateKey, *signature.Trust) {
	t.Helper()
	private, _ := signaturetest.Pair(t)
	key, err := signature.ParsePrivateKey([]byte(private))
	if err != nil {
		t.Fatal(err)
	}
	return key, &signature.Trust{Keys: []*signature.PublicKey{&key.PublicKey}}
}

// sign signs the files of a release folder, and how they were made.
func sign(t *testing.T, dir string, key *signature.PrivateKey) {
	t.Helper()
	f := &Folder{Dir: dir, Name: "news"}
	files := map[string]string{}
	for name := range published {
		files[name] = ""
	}
	files[manifestFile] = ""
	for name := range files {
		data, err := os.ReadFile(filepath.Join(f.Dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = fmt.Sprintf("sha256:%x", sha256.Sum256(data))
	}
	bundle, root, err := signature.SignModel(t.Context(), key, "news", files)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, signature.ModelFile, string(bundle))
	said, err := signature.SignRun(t.Context(), key, "news", root, signature.Provenance{})
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, signature.RunFile, string(said))
}

// TestSignedFolder: a folder is used only if a trusted key signed every byte of it and
// nothing lies beside; every other state is refused by its own words.
func TestSignedFolder(t *testing.T) {
	key, trust := signer(t)
	other, _ := signer(t)
	for name, c := range map[string]struct {
		change func(t *testing.T, dir string)
		says   string
	}{
		"as it was signed": {func(*testing.T, string) {}, ""},
		"no manifest but signed without it": {func(t *testing.T, dir string) {
			remove(t, dir, manifestFile)
		}, "signed and missing: \"manifest.json\""},
		"no signature":   {func(t *testing.T, dir string) { remove(t, dir, signature.ModelFile) }, "it is not signed"},
		"no statement":   {func(t *testing.T, dir string) { remove(t, dir, signature.RunFile) }, ""},
		"another key":    {func(t *testing.T, dir string) { sign(t, dir, other) }, "signed by another key: \"" + other.ID},
		"a file added":   {func(t *testing.T, dir string) { write(t, dir, "run.py", "x") }, "there and not signed: \"run.py\""},
		"a folder added": {func(t *testing.T, dir string) { write(t, dir, "more/run.py", "x") }, "there and not signed: \"more/run.py\""},
		"git beside":     {func(t *testing.T, dir string) { write(t, dir, ".git/HEAD", "x") }, ""},
		"a link": {func(t *testing.T, dir string) {
			if err := os.Symlink("config.json", filepath.Join(dir, "link.json")); err != nil {
				t.Skip("no links here: ", err)
			}
		}, "is no plain file"},
		"damaged signature":  {func(t *testing.T, dir string) { write(t, dir, signature.ModelFile, "{}") }, "no signature that can be checked"},
		"damaged statement":  {func(t *testing.T, dir string) { write(t, dir, signature.RunFile, "{}") }, "the statement of its run: no signature"},
		"another statement":  {func(t *testing.T, dir string) { forged(t, dir, key) }, "the statement of its run: no signature that can be checked: it is about the model"},
		"file and manifest":  {func(t *testing.T, dir string) { replaceWith(t, dir, "taxonomy.yaml", "categories: [x]") }, "other bytes than were signed: \"manifest.json\", \"taxonomy.yaml\""},
		"statement of other": {func(t *testing.T, dir string) { statedBy(t, dir, other) }, "the statement of its run: signed by another key"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := publishedFolder(t)
			sign(t, dir, key)
			c.change(t, dir)
			f, _, err := open(t, dir, false)
			if err != nil {
				t.Fatal(err)
			}
			signed, err := f.CheckSignature(t.Context(), trust)
			var failure *stages.Failure
			switch {
			case c.says == "" && (err != nil || signed.Signer != key.ID || signed.Files != len(published)+1):
				t.Errorf("%+v %v", signed, err)
			case c.says != "" && (!errors.As(err, &failure) || failure.Code != stages.CodeIntegrity || failure.Hint == "" || !strings.Contains(err.Error(), c.says)):
				t.Errorf("%v, want %s", err, c.says)
			}
		})
	}
	dir := publishedFolder(t)
	sign(t, dir, key)
	f, _, err := open(t, dir, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.CheckSignature(t.Context(), &signature.Trust{Keys: trust.Keys, Revoked: []string{key.ID}}); err == nil || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("revoked: %v", err)
	}
	if _, err := f.CheckSignature(t.Context(), trust); err != nil {
		t.Fatal(err)
	}
	write(t, dir, manifestFile, "{}")
	if err := f.Unchanged(); err == nil {
		t.Error("a file that changed after it was compared with the signature is not told")
	}
}

// TestSignedFolderGrows: a file that comes after the comparison, and would be loaded, is told.
func TestSignedFolderGrows(t *testing.T) {
	key, trust := signer(t)
	dir := publishedFolder(t)
	sign(t, dir, key)
	f, _, err := open(t, dir, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.CheckSignature(t.Context(), trust); err != nil || f.Unchanged() != nil {
		t.Fatal(err, f.Unchanged())
	}
	if m, err := Open(t.Context(), dir, WithTrust(nil), WithCache(t.TempDir())); m != nil || err == nil || !strings.Contains(err.Error(), "no key is trusted") {
		t.Errorf("trust in nobody: %v", err)
	}
	write(t, dir, "model.onnx", "other weights")
	if err := f.Unchanged(); err == nil || !strings.Contains(err.Error(), "model.onnx") {
		t.Errorf("a file beside the signed ones: %v", err)
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// replaceWith gives a file other bytes and lets the manifest say so: only a signature tells.
func replaceWith(t *testing.T, dir, name, text string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		t.Fatal(err)
	}
	sum := func(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }
	changed := strings.Replace(string(data), sum(published[name]), sum(text), 1)
	changed = strings.Replace(changed, fmt.Sprintf(`"size":%d},"thresholds`, len(published[name])), fmt.Sprintf(`"size":%d},"thresholds`, len(text)), 1)
	write(t, dir, name, text)
	write(t, dir, manifestFile, changed)
}

// forged puts the statement of another model of the same key beside a release.
func forged(t *testing.T, dir string, key *signature.PrivateKey) {
	t.Helper()
	said, err := signature.SignRun(t.Context(), key, "news", strings.Repeat("0", 64), signature.Provenance{})
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, signature.RunFile, string(said))
}

// statedBy puts another key's statement of the same model beside a release.
func statedBy(t *testing.T, dir string, key *signature.PrivateKey) {
	t.Helper()
	kept, err := os.ReadFile(filepath.Join(dir, signature.ModelFile))
	if err != nil {
		t.Fatal(err)
	}
	sign(t, dir, key)
	write(t, dir, signature.ModelFile, string(kept))
}

// TestSignedRelease: of a store the signature is compared with what its record lists, and
// the statement is what the publisher recorded; a folder that is fetched is checked alike.
func TestSignedRelease(t *testing.T) {
	key, trust := signer(t)
	s, err := storage.Open(t.Context(), "mem://", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	dir := publishedFolder(t)
	sign(t, dir, key)
	model := "news"
	publish := func(meta models.Facts, without string) models.Release {
		t.Helper()
		var files []storage.TreeEntry
		for _, name := range []string{"model.safetensors", "config.json", "tokenizer.json", "vocab.txt", "taxonomy.yaml", "thresholds.json", "docs/card.md", manifestFile, signature.ModelFile} {
			if name == without {
				continue
			}
			data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
			if err != nil {
				t.Fatal(err)
			}
			a, err := s.Put(t.Context(), strings.NewReader(string(data)), "")
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, storage.TreeEntry{Path: name, Digest: a.Digest, Size: a.Size})
		}
		tree, err := s.PutTree(t.Context(), files)
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(meta)
		if err != nil {
			t.Fatal(err)
		}
		r, err := models.In(s).Publish(t.Context(), model, tree, body)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	said, err := os.ReadFile(filepath.Join(dir, signature.RunFile))
	if err != nil {
		t.Fatal(err)
	}
	whole := publish(models.Facts{Run: "r1", Provenance: said}, "")
	if signed, err := CheckSignature(t.Context(), s, whole, trust); err != nil || signed.Run == nil || signed.Signer != key.ID || signed.Model != "news" {
		t.Errorf("%+v %v", signed, err)
	}
	f, err := Fetch(t.Context(), s, whole)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.CheckSignature(t.Context(), trust); err != nil {
		t.Errorf("fetched: %v", err)
	}
	write(t, f.Dir, "run.py", "x")
	if _, err := f.CheckSignature(t.Context(), trust); err == nil {
		t.Error("a file beside what was fetched is not told")
	}
	for without, says := range map[string]string{"vocab.txt": "signed and missing", signature.ModelFile: "not signed"} {
		if _, err := CheckSignature(t.Context(), s, publish(models.Facts{}, without), trust); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("without %s: %v", without, err)
		}
	}
	forged := publish(models.Facts{Run: "r2", Provenance: said}, "vocab.txt")
	forged.Files = whole.Files
	if _, err := CheckSignature(t.Context(), s, forged, trust); err == nil || !strings.Contains(err.Error(), "its record lists other files") {
		t.Errorf("signed files beside the digest of others: %v", err)
	}
	// What the key signed as one model stands under the name of another.
	model = "spam"
	other := publish(models.Facts{}, "")
	const says = `signed as a release of the model "news"`
	if _, err := CheckSignature(t.Context(), s, other, trust); err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("under another name: %v", err)
	}
	g, err := Fetch(t.Context(), s, other)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if _, err := g.CheckSignature(t.Context(), trust); err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("fetched under another name: %v", err)
	}
}

// TestPublishedFolder: the folder and the signature that the specification publishes are
// taken as they are; what that signature leaves out by its own word is not.
func TestPublishedFolder(t *testing.T) {
	const vectors = "../../storage/models/signature/testdata/spec-v1.0-key"
	bundle, err := os.ReadFile(vectors + ".bundle.json")
	if err != nil {
		t.Fatal(err)
	}
	key, err := PublicKey(vectors + ".pub.pem")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"signme-1": "signme-1\n", "signme-2": "signme-2", signature.ModelFile: string(bundle)} {
		write(t, dir, name, text)
	}
	f, _, err := open(t, dir, false)
	if err != nil {
		t.Fatal(err)
	}
	trust := &signature.Trust{Keys: []*signature.PublicKey{key}}
	if signed, err := f.CheckSignature(t.Context(), trust); err != nil || signed.Files != 2 || signed.Signer != key.ID {
		t.Errorf("%+v %v", signed, err)
	}
	write(t, dir, "ignore-me", "weights")
	if _, err := f.CheckSignature(t.Context(), trust); err == nil || !strings.Contains(err.Error(), `there and not signed: "ignore-me"`) {
		t.Errorf("a file that the signature leaves out: %v", err)
	}
}
