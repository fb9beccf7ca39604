//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage/storagetest"
)

// signedFolder is a folder with the quickstart's plan, and what runs it in no time.
func signedFolder(t *testing.T) *exampleFolder {
	t.Helper()
	e := prepareFolder(t)
	write(t, e.dir, map[string]string{"old.key": strings.Repeat("0123456789abcdef", 4) + "\n", "new.key": strings.Repeat("fedcba9876543210", 4) + "\n", "short.key": "hunter2\n"})
	return e
}

// ends runs a line, wants an exit code, and what it says to hold the texts.
func (e *exampleFolder) ends(t *testing.T, code, line string, texts ...string) {
	t.Helper()
	out, _ := e.shell(line + "; echo code $?")
	if !strings.HasSuffix(out, "code "+code+"\n") {
		t.Fatalf("%s: want %s\n%s", line, code, out)
	}
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("%s: no %q in:\n%s", line, text, out)
		}
	}
	if strings.Contains(out, "0123456789abcdef0123") || strings.Contains(out, "hunter2") {
		t.Errorf("%s: it tells the key:\n%s", line, out)
	}
}

// forge gives the manifest of a stage's newest work other outputs, as one does who
// may write to the store and has no key.
func (e *exampleFolder) forge(t *testing.T, kind string) (undo func()) {
	t.Helper()
	store := filepath.Join(e.dir, ".sprint", "store")
	found, err := filepath.Glob(filepath.Join(store, "manifests", kind, "*", "000001"))
	if err != nil || len(found) == 0 {
		t.Fatal(found, err)
	}
	good, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	key, err := filepath.Rel(store, found[0])
	if err != nil {
		t.Fatal(err)
	}
	bad := storagetest.Forge(t, key, good, func(body string) string {
		return strings.Replace(body, `"digest":"sha256:`, `"digest":"sha256:`+strings.Repeat("e", 8), 1)
	})
	put := func(data []byte) {
		if err := os.WriteFile(found[0], data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(bad)
	return func() { put(good) }
}

// TestSignedStore: with a key all works as without, workers included; what is
// forged ends with 9, and without the key nothing is written.
func TestSignedStore(t *testing.T) {
	t.Parallel()
	e := signedFolder(t)
	const signed, other = "SPRINT_STORE_KEY=file:old.key ", "SPRINT_STORE_KEY=file:new.key "
	e.ends(t, "0", signed+"sprint run", "succeeded")
	e.ends(t, "0", signed+"sprint run", "cached")
	e.ends(t, "0", signed+"sprint artifacts verify --all")
	e.ends(t, "0", signed+"sprint classify --model quickstart 'Storm closes the harbour'")
	e.ends(t, "0", signed+"sprint store rekey", "damaged")
	undo := e.forge(t, "label")
	e.ends(t, "9", signed+"sprint run", "manifests/label/", "it is not signed", "sprint store rekey")
	e.ends(t, "9", signed+"sprint plan", "manifests/label/")
	e.ends(t, "9", signed+"sprint store rekey --yes", "refused: manifests/label/", "--unsigned signs")
	e.ends(t, "9", signed+"sprint artifacts verify --all", "manifests/label/")
	undo()
	e.ends(t, "9", other+"sprint run", "is none of this runner's", "sprint store rekey")
	e.ends(t, "9", other+"sprint classify --model quickstart x", "models/quickstart/aliases/latest")
	e.ends(t, "4", "sprint run --force=label", "store_key")
	e.ends(t, "4", "sprint promote quickstart@1 --alias best", "store_key")
	e.ends(t, "0", "sprint classify --model quickstart x", "whatever stands in them is believed")
	e.ends(t, "4", "SPRINT_STORE_KEY=file:short.key sprint run", "at least 32", "openssl rand -hex 32")
	e.ends(t, "4", "SPRINT_STORE_KEY=env:NOT_SET sprint run", "NOT_SET")
	e.ends(t, "0", "KEY=$(cat old.key) SPRINT_STORE_KEY=env:KEY sprint run --set train.seed=9", "succeeded")
	e.ends(t, "2", "SPRINT_STORE_KEYS_ACCEPTED='[file:old.key]' sprint run", "store_key")
	// The key is changed.
	both := other + "SPRINT_STORE_KEYS_ACCEPTED='[file:old.key]' "
	e.ends(t, "0", both+"sprint run", "cached")
	e.ends(t, "0", both+"sprint store rekey", "--yes")
	e.ends(t, "0", both+"sprint store rekey --yes", "signed now")
	e.ends(t, "0", other+"sprint run", "cached")
	e.ends(t, "9", signed+"sprint run", "is none of this runner's")
	if out, err := e.shell("grep -rl 0123456789abcdef0123456789abcdef .sprint"); err == nil {
		t.Errorf("the key is in the store: %s", out)
	}
}

// TestSignOldStore: a store of before there was a key is taken over.
func TestSignOldStore(t *testing.T) {
	t.Parallel()
	e := signedFolder(t)
	write(t, e.dir, map[string]string{"signed.yaml": "store_key: file:old.key\n"})
	e.ends(t, "0", "sprint run", "succeeded")
	e.ends(t, "2", "sprint store rekey", "store_key", "openssl rand -hex 32")
	e.ends(t, "9", "sprint run --config signed.yaml", "it is not signed", "sprint store rekey")
	e.ends(t, "9", "sprint run --config signed.yaml --force", "it is not signed")
	e.ends(t, "0", "sprint store rekey --config signed.yaml", "sprint store rekey --config signed.yaml --unsigned --yes")
	e.ends(t, "0", "sprint store rekey --config signed.yaml --unsigned", "sprint store rekey --config signed.yaml --unsigned --yes")
	e.ends(t, "0", "sprint store rekey --config signed.yaml --unsigned --yes")
	e.ends(t, "0", "sprint run --config signed.yaml", "cached")
	e.ends(t, "0", "sprint run", "cached")
	e.ends(t, "4", "sprint runs pin $(sprint runs | sed -n '2s/ .*//p')", "store_key")
}
