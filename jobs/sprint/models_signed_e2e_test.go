//go:build e2e && unix

package main

import (
	"bytes"
	"crypto/elliptic"
	osexec "os/exec"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/storage/models/signature/signaturetest"
)

// TestModelSigningPackage: the Python package model-signing, where the format comes from,
// checks what publish signs, by every curve, and what it signs is checked here; each finds
// every change that the other finds.
func TestModelSigningPackage(t *testing.T) {
	python := jobstest.Python(t, "MODEL_SIGNING_PYTHON", "model-signing==1.1.1 pyOpenSSL==26.4.0", "model_signing")
	e := prepareFolder(t)
	peer := func(words ...string) error {
		t.Helper()
		cmd := osexec.Command(python, append([]string{"-m", "model_signing"}, words...)...)
		cmd.Dir = e.dir
		out, err := cmd.CombinedOutput()
		t.Logf("model_signing %q: %v\n%s", words, err, bytes.TrimSpace(out))
		return err
	}
	for name, curve := range map[string]elliptic.Curve{"p256": elliptic.P256(), "p384": elliptic.P384(), "p521": elliptic.P521()} {
		private, public := signaturetest.PairOf(t, curve)
		_, other := signaturetest.PairOf(t, curve)
		write(t, e.dir, map[string]string{name + ".key": private, name + ".pub": public, "other.pub": other})
		e.ends(t, "0", "sprint run plan.yaml --force=publish --set publish.sign='{key: file:"+name+".key, public: "+name+".pub}'")
		e.ends(t, "0", "rm -rf folder; sprint artifacts get quickstart@latest folder")
		check := func(key string) error {
			return peer("verify", "key", "--signature", "folder/model.sig", "--public_key", key, "folder")
		}
		if err := check(name + ".pub"); err != nil {
			t.Errorf("%s: model-signing refuses ours: %v", name, err)
		}
		if check("other.pub") == nil {
			t.Errorf("%s: model-signing accepts another key", name)
		}
		e.ends(t, "0", "rm folder/*.sig; sprint models sign ./folder --key file:"+name+".key")
		if err := check(name + ".pub"); err != nil {
			t.Errorf("%s: model-signing refuses what signs a folder: %v", name, err)
		}
		if check("other.pub") == nil {
			t.Errorf("%s: model-signing accepts another key of a folder", name)
		}
		e.ends(t, "0", "rm folder/*.sig")
		if err := peer("sign", "key", "--private_key", name+".key", "--signature", "folder/model.sig", "folder"); err != nil {
			t.Fatal(err)
		}
		e.ends(t, "0", "sprint models verify ./folder --key "+name+".pub", "every byte as it was signed", "nothing is stated")
		e.ends(t, "0", "rm folder/manifest.json; rm folder/model.sig")
		if err := peer("sign", "key", "--private_key", name+".key", "--signature", "folder/model.sig", "folder"); err != nil {
			t.Fatal(err)
		}
		if out := e.one(t, "sprint models verify ./folder --key "+name+".pub 2>&1"); strings.Contains(out, "unchecked") {
			t.Errorf("%s: a folder without a manifest is checked by its signature: %s", name, out)
		}
		e.ends(t, "9", "sprint models verify ./folder --key other.pub", "signed by another key")
		e.ends(t, "0", "sprint classify --model ./folder --key "+name+".pub storm")
		for change, undo := range map[string]string{
			"touch folder/run.py": "rm folder/run.py", "mkdir folder/more && touch folder/more/run.py": "rm -r folder/more",
			"mv folder/README.md .": "mv README.md folder", "cp folder/README.md kept; echo >> folder/README.md": "mv kept folder/README.md",
			"ln -s config.json folder/link": "rm folder/link", "cp folder/model.sig kept; sed -i 's/\"payload\":\"ewog/\"payload\":\"ewkg/' folder/model.sig": "mv kept folder/model.sig",
		} {
			if _, err := e.shell(change); err != nil {
				t.Fatal(change, err)
			}
			if check(name+".pub") == nil {
				t.Errorf("%s: model-signing accepts %q", name, change)
			}
			e.ends(t, "9", "sprint models verify ./folder --key "+name+".pub")
			if _, err := e.shell(undo); err != nil {
				t.Fatal(undo, err)
			}
		}
		e.ends(t, "0", "sprint models verify ./folder --key "+name+".pub")
		if err := peer("sign", "key", "--private_key", name+".key", "--ignore-paths", "folder/rules.json", "--ignore-paths", "folder/README.md", "--signature", "folder/model.sig", "folder"); err != nil {
			t.Fatal(err)
		}
		if err := check(name + ".pub"); err != nil {
			t.Errorf("%s: model-signing refuses what it left out itself: %v", name, err)
		}
		e.ends(t, "9", "sprint models verify ./folder --key "+name+".pub", "there and not signed", "README.md")
	}
}
