//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage/models/signature/signaturetest"
)

// TestSignedModels: what publish signs is checked by the public key alone: in the store, in
// a folder, before it answers and in a plan. Every release that this key did not sign as it
// is ends with 9, each by its own words.
func TestSignedModels(t *testing.T) {
	t.Parallel()
	e := prepareFolder(t)
	private, public := signaturetest.Pair(t)
	otherPrivate, other := signaturetest.Pair(t)
	write(t, e.dir, map[string]string{
		"release.key": private, "release.pub": public, "other.key": otherPrivate, "other.pub": other,
		"daily.yaml": "name: daily\nstages:\n  - name: fetch\n    with: {source: files, files: {paths: [rows.jsonl]}}\n  - name: classify\n    with: {model: quickstart, key: release.pub}\n",
	})
	daily := "env -u SPRINT_SET_TRAIN__ENCODER -u SPRINT_SET_VERIFY__CHECKS sprint run daily.yaml"
	sign := "sprint run plan.yaml --set publish.sign='{key: file:release.key, public: release.pub}'"
	e.ends(t, "4", "sprint run plan.yaml --set publish.sign.key=env:NOTHING", "NOTHING is empty", "cannot be signed")
	e.ends(t, "0", "sprint validate plan.yaml --set publish.sign.key=env:NOTHING", "the key that signs releases is not here")
	e.ends(t, "4", "sprint run plan.yaml --set publish.sign='{key: file:other.key, public: release.pub}'", "of another pair")
	for said, sign := range map[string]string{
		"is of another pair": "{key: file:other.key, public: release.pub}", "cannot: it is no private key": "{key: file:release.pub}", "no file none.key": "{key: file:none.key}",
	} {
		e.ends(t, "0", "sprint validate plan.yaml --set publish.sign='"+sign+"'", "warning: ", said, "a run ends before it begins")
	}
	e.ends(t, "3", "sprint validate plan.yaml --set publish.sign='{key: file:release.key, public: none.pub}'", "sign.public: the public key", "none.pub cannot be read")
	e.ends(t, "3", "sprint validate plan.yaml --set publish.sign='{key: file:release.key, public: plan.yaml}'", "sign.public: the public key", "no PEM of a public key")
	e.ends(t, "3", "env -u SPRINT_SET_TRAIN__ENCODER -u SPRINT_SET_VERIFY__CHECKS sprint validate daily.yaml --set classify.key=plan.yaml", "classify.with.key: the public key", "no PEM of a public key")
	e.ends(t, "0", "sprint validate plan.yaml --set publish.mirror='[{to: \"command://team\", command: [tell], secrets: {TOKEN: \"env:NOTHING\"}}]'", "mirror.0.secrets.TOKEN: the secret of the mirror is not here: the environment variable NOTHING is empty")
	e.ends(t, "3", "sprint validate plan.yaml --set publish.mirror='[{to: \"command://team\", command: [tell], env: [\"A=B\"]}]'", "mirror.0.env: \"A=B\" is no variable name")
	e.ends(t, "0", "sprint validate plan.yaml --set publish.mirror='[{to: \"hf://o/m\", secret: \"env:NOTHING\"}]'", "mirror.0.secret: the secret of the mirror is not here: the environment variable NOTHING is empty")
	e.ends(t, "0", "sprint run plan.yaml", "succeeded")
	e.ends(t, "9", "sprint models verify quickstart --key release.pub", "it is not signed", "sign.key")
	e.ends(t, "9", "sprint classify --model quickstart --key release.pub storm", "it is not signed")
	e.ends(t, "9", daily, "it is not signed")

	e.ends(t, "0", sign, "Model quickstart@2")
	e.ends(t, "0", sign, "cached")
	e.ends(t, "0", "sprint models verify quickstart --key release.pub", "every byte", "signed by ", "made by run", "plan \"quickstart\"")
	inputs := e.one(t, `sprint models verify quickstart -o json --key release.pub | sed 's/.*resolvedDependencies//' | grep -o '"digest":{"sha256"' | wc -l`)
	e.ends(t, "0", "sprint models verify quickstart --key release.pub", " of "+strings.TrimSpace(inputs)+" inputs that have digests")
	e.ends(t, "0", "sprint models verify quickstart -o json --key release.pub", `"signed":{"signer":"`, `"name":"train/encoder`, `"name":"label/`)
	e.ends(t, "0", "sprint models verify quickstart", "every byte")
	e.ends(t, "9", "sprint models verify quickstart --key other.pub", "signed by another key")
	e.ends(t, "0", "sprint models verify quickstart --key other.pub --key release.pub")
	e.ends(t, "2", "sprint models verify quickstart --key rows.jsonl", "no PEM of a public key")
	e.ends(t, "2", "sprint models verify quickstart --key none.pub", "none.pub")
	e.ends(t, "0", "sprint classify --model quickstart --key release.pub storm")
	e.ends(t, "9", "sprint classify --model quickstart --key other.pub storm", "signed by another key")
	e.ends(t, "9", "SPRINT_MODEL_KEYS='[other.pub]' sprint promote quickstart@2 --alias champion", "signed by another key")
	e.ends(t, "9", "SPRINT_MODEL_KEYS='[other.pub]' sprint serve --model quickstart --listen 127.0.0.1:0", "signed by another key")
	e.ends(t, "0", daily, "succeeded")
	id := e.one(t, "sprint models verify quickstart --key release.pub | sed -n 's/^signed by \\([0-9a-f]*\\):.*/\\1/p'")
	e.ends(t, "9", "SPRINT_MODEL_KEYS_REVOKED='["+id+"]' sprint models verify quickstart --key release.pub", "signed by a revoked key: "+id)
	e.ends(t, "2", "SPRINT_MODEL_KEYS_REVOKED='["+id+"]' sprint models verify quickstart", "model_keys is not")
	// What was classified by a release whose key is revoked since is not handed on as done.
	e.ends(t, "0", daily, "cached")
	e.ends(t, "9", "SPRINT_MODEL_KEYS_REVOKED='["+id+"]' "+daily, "stage classify: ", "signed by a revoked key: "+id)
	e.ends(t, "9", "SPRINT_MODEL_KEYS='[other.pub]' "+daily, "signed by another key")
	e.ends(t, "9", "SPRINT_MODEL_KEYS='[other.pub]' "+strings.ReplaceAll(daily, "sprint run", "sprint plan"), "signed by another key")
	e.ends(t, "0", "SPRINT_MODEL_KEYS='[release.pub]' "+daily, "cached")
	e.ends(t, "2", "SPRINT_MODEL_KEYS='[none.pub]' "+daily, "none.pub")
	e.ends(t, "2", "SPRINT_MODEL_KEYS_REVOKED='["+id+"]' "+daily+" --set classify.key=", "no key must have signed")

	e.ends(t, "0", "sprint artifacts get quickstart@latest folder")
	e.ends(t, "0", "sprint models verify ./folder --key release.pub", "every byte as it was signed", "made by run")
	e.ends(t, "0", "sprint models verify ./folder", "manifest.json")
	e.ends(t, "9", "touch folder/run.py; sprint models verify ./folder --key release.pub", "there and not signed: \"run.py\"")
	e.ends(t, "9", "sprint classify --model ./folder --key release.pub storm", "there and not signed")
	e.ends(t, "9", "rm folder/run.py folder/history.json; sprint models verify ./folder --key release.pub", "history.json")
	if kept, err := filepath.Glob(filepath.Join(e.dir, "folder", "*.sig")); err != nil || len(kept) != 2 {
		t.Errorf("in the folder are %v %v", kept, err)
	}
	if err := filepath.WalkDir(filepath.Join(e.dir, ".sprint"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), "PRIVATE KEY") || strings.Contains(string(data), strings.Split(private, "\n")[1]) {
			t.Errorf("the store has the private key in %s", path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// one is the output of a line.
func (e *exampleFolder) one(t *testing.T, line string) string {
	t.Helper()
	out, err := e.shell(line)
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return strings.TrimSpace(out)
}
