//go:build quality

package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// publishedCase is a config.json of the suite.
type publishedCase struct {
	Method        string
	Model         string
	Of            string `json:"model_relative_to"` // "test_dir", or the suite's assets
	Expect        string
	Files         []string `json:"expected_signed_files"`
	Modifications struct {
		Tamper, Inject, Symlinks map[string]string
		Delete                   []string
	} `json:"model_modifications"`
	Sign struct {
		Key string `json:"private_key"`
	}
	Verify struct {
		Key      string   `json:"public_key"`
		Ignored  []string `json:"ignore_paths"`
		Unsigned bool     `json:"ignore_unsigned_files"`
	}
}

// TestPublishedCases runs the cases of the public conformance suite of Model Signing that
// are about keys and folders: signatures of other implementations, damaged ones, and what
// must be signed or refused. It needs the suite: `just conformance FOLDER`.
func TestPublishedCases(t *testing.T) {
	suite := os.Getenv("SIGNATURE_SUITE")
	if suite == "" {
		t.Fatal("SIGNATURE_SUITE names a checkout of model-signing-conformance: `just conformance FOLDER`")
	}
	paths, err := filepath.Glob(filepath.Join(suite, "test", "test-cases", "*", "*", "config.json"))
	deeper, deeperErr := filepath.Glob(filepath.Join(suite, "test", "test-cases", "*", "*", "*", "config.json"))
	if err != nil || deeperErr != nil || len(paths)+len(deeper) < 60 {
		t.Fatalf("%d cases in %s: %v %v", len(paths)+len(deeper), suite, err, deeperErr)
	}
	ran, left := 0, map[string]int{}
	for _, path := range append(paths, deeper...) {
		data, err := os.ReadFile(path)
		var c publishedCase
		if err == nil {
			err = json.Unmarshal(data, &c)
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		model := filepath.Join(suite, "test", "assets", c.Model)
		if c.Of == "test_dir" {
			model = filepath.Join(filepath.Dir(path), c.Model)
		}
		info, err := os.Stat(model)
		switch {
		case c.Method != "key":
			left["by certificates or a transparency log"]++
		case err != nil:
			t.Errorf("%s: %v", path, err)
		case !info.IsDir():
			left["of a file that is no folder"]++
		case c.Verify.Unsigned && len(c.Modifications.Inject) > 0:
			left["that let files be added"]++
		default:
			ran++
			t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) { c.run(t, suite, filepath.Dir(path), model) })
		}
	}
	t.Logf("%d cases ran; left out: %v", ran, left)
}

// run makes the model of a case, signs it where the case has a private key, and verifies it.
func (c *publishedCase) run(t *testing.T, suite, dir, model string) {
	folder := filepath.Join(t.TempDir(), "model")
	if err := os.CopyFS(folder, os.DirFS(model)); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(c.Modifications.Delete, c.Verify.Ignored...) { // not there is left out
		if err := os.RemoveAll(filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, files := range []map[string]string{c.Modifications.Tamper, c.Modifications.Inject} {
		write(t, folder, files)
	}
	for name, target := range c.Modifications.Symlinks {
		if err := os.Symlink(target, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	assets, signature := filepath.Join(suite, "test", "assets"), filepath.Join(folder, "model.sig")
	if c.Sign.Key != "" {
		code, _, stderr := exec(t, folder, "models", "sign", folder, "--key", "file:"+filepath.Join(assets, c.Sign.Key))
		if c.Expect == "fail" {
			if code == 0 {
				t.Error("it was signed")
			}
			return
		}
		if code != 0 {
			t.Fatalf("signing ends with %d: %s", code, stderr)
		}
	} else {
		bundle, err := os.ReadFile(filepath.Join(dir, "bundle.sig"))
		if err == nil {
			err = os.WriteFile(signature, bundle, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	code, _, stderr := exec(t, folder, "models", "verify", folder, "--key", filepath.Join(assets, c.Verify.Key))
	if (code == 0) == (c.Expect == "fail") {
		t.Errorf("verifying ends with %d, expected %q: %s", code, c.Expect, stderr)
	}
	if c.Expect != "fail" && c.Files != nil && !slices.Equal(signedFiles(t, signature), c.Files) {
		t.Errorf("signed are %q, expected %q", signedFiles(t, signature), c.Files)
	}
}

// signedFiles are those that a bundle lists.
func signedFiles(t *testing.T, path string) []string {
	t.Helper()
	var bundle struct {
		Envelope struct{ Payload string } `json:"dsseEnvelope"`
	}
	var statement struct {
		Predicate struct{ Resources []struct{ Name string } }
	}
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &bundle)
	}
	if err == nil {
		data, err = base64.StdEncoding.DecodeString(bundle.Envelope.Payload)
	}
	if err == nil {
		err = json.Unmarshal(data, &statement)
	}
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range statement.Predicate.Resources {
		names = append(names, r.Name)
	}
	slices.Sort(names)
	return names
}
