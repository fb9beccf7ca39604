package publish_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/publish"
	"github.com/sprint-ml/sprint/stages/stagetest"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/models/signature"
	"github.com/sprint-ml/sprint/storage/models/signature/signaturetest"
)

// pair is a new pair of keys: a private PEM, the file of the public one, and that key.
func pair(t *testing.T) (private, file string, public *signature.PublicKey) {
	t.Helper()
	private, text := signaturetest.Pair(t)
	public, err := signature.ParsePublicKey([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "release.pub")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return private, file, public
}

// signed publishes a model that is signed with a private key.
func signed(t *testing.T, s *storage.Store, private string, o publish.Sign, before ...stages.Work) *stagetest.Result {
	t.Helper()
	m := put(t, s, model(""))
	return stagetest.Run(t, stagetest.Case{Kind: publish.Kind(), Options: &publish.Options{Name: "news", Alias: "latest", Sign: o}, Store: s,
		Taxonomy: stages.Source{Name: "taxonomy.yaml", Data: []byte("categories: []")},
		Inputs:   map[string]any{"model": m, "thresholds": `{}`, "history": "[]", "metrics": `{}`, "checks": strings.ReplaceAll(passed, "MODEL", m.Digest)},
		Env: func(e *stages.Env) {
			e.Secret = func(ref string) (string, error) {
				if ref != "env:KEY" || private == "" {
					return "", errors.New("the environment variable KEY is empty")
				}
				return private, nil
			}
			e.Origin = stages.Origin{Plan: "news", PlanDigest: "sha256:ab", Key: "k", Version: "v1", Before: before}
		}})
}

// TestSigned: the signature in a release covers every other file of it, the registry has a
// signed statement of its run, and publishing again with the same key makes no other release.
func TestSigned(t *testing.T) {
	s := stagetest.Store(t)
	private, file, public := pair(t)
	train := storage.Manifest{
		Kind: "train", Key: strings.Repeat("a", 64), Generation: 1, Run: "r1", Device: "cpu", Preimage: []byte(`{"version":3,"external":{"encoder":"sha256:` + strings.Repeat("e", 64) + `"}}`),
		Inputs: map[string]string{"train": "sha256:" + strings.Repeat("d", 64)}, Notes: map[string]any{"plugin": map[string]any{"name": "pjrt", "version": "0.9", "digest": "sha256:" + strings.Repeat("b", 64)}},
	}
	if _, _, err := s.Commit(t.Context(), train); err != nil {
		t.Fatal(err)
	}
	work := stages.Work{Stage: "train", Kind: "train", Key: train.Key}
	r := signed(t, s, private, publish.Sign{Key: "env:KEY", Public: file}, work, stages.Work{Stage: "gone", Kind: "command", Key: strings.Repeat("c", 64)})
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	if r.External["signed"] != true || r.External["signer"] != public.ID || r.Notes["signed_by"] != public.ID {
		t.Errorf("keyed %v, noted %v", r.External, r.Notes)
	}
	tree := r.Tree(t, "release")
	trust := &signature.Trust{Keys: []*signature.PublicKey{public}}
	m, err := trust.Model(t.Context(), tree[signature.ModelFile])
	if err != nil {
		t.Fatal(err)
	}
	release, err := models.In(s).Release(t.Context(), "news", "latest")
	if err != nil {
		t.Fatal(err)
	}
	digests := map[string]string{}
	for _, e := range release.Files {
		digests[e.Path] = e.Digest
	}
	if left, err := m.Compare(digests); err != nil || left != nil || len(m.Files) != len(tree)-1 {
		t.Errorf("signed are %v of %v: %v %v", m.Files, digests, left, err)
	}
	p, err := trust.Run(t.Context(), release.Facts().Provenance, m)
	if err != nil {
		t.Fatal(err)
	}
	var read []string
	for _, d := range p.Definition.Dependencies {
		read = append(read, d.Name+"="+d.Digest["sha256"][:1])
	}
	if got := strings.Join(read, " "); got != "train/train=d train/encoder=e train/plugin=b" || p.Definition.External["plan_digest"] != "sha256:ab" {
		t.Errorf("stated is %s of %v", got, p.Definition)
	}
	if again := signed(t, s, private, publish.Sign{Key: "env:KEY"}); again.Err != nil || again.Outputs["release"].Digest != r.Outputs["release"].Digest || again.External["signer"] != nil {
		t.Errorf("published again: %v, %v", again.Err, again.External)
	}
	other, _, _ := pair(t)
	if r := signed(t, s, other, publish.Sign{Key: "env:KEY"}); r.Err != nil {
		t.Error(r.Err)
	}
	if r, err := models.In(s).Release(t.Context(), "news", "latest"); err != nil || r.Version != 2 {
		t.Errorf("signed by another key: %+v %v", r, err)
	}
}

// TestNoKey: without the key, or with another than is named, nothing is published, and the
// words show nothing of a key.
func TestNoKey(t *testing.T) {
	private, _, _ := pair(t)
	_, file, _ := pair(t)
	for name, c := range map[string]struct {
		private string
		o       publish.Sign
		says    string
	}{
		"none":         {"", publish.Sign{Key: "env:KEY"}, "KEY is empty"},
		"no key":       {"hunter2", publish.Sign{Key: "env:KEY"}, "no PEM of a private key"},
		"another pair": {private, publish.Sign{Key: "env:KEY", Public: file}, "of another pair"},
	} {
		s := stagetest.Store(t)
		r := signed(t, s, c.private, c.o)
		var f *stages.Failure
		if !errors.As(r.Err, &f) || f.Code != stages.CodeEnvironment || !strings.Contains(r.Err.Error(), c.says) || strings.Contains(r.Err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, r.Err)
		}
		if names, err := models.In(s).Names(t.Context()); err != nil || len(names) > 0 {
			t.Errorf("%s: published %v %v", name, names, err)
		}
	}
	t.Setenv("KEY", "")
	for _, ref := range []string{"env:KEY", "file:" + filepath.Join(t.TempDir(), "none.pem")} {
		if p := (&publish.Options{Sign: publish.Sign{Key: ref}}).CheckFiles(t.Context(), stages.Source{}); len(p) != 1 || !p[0].Warning || p[0].Option != "sign.key" {
			t.Errorf("%s: %+v", ref, p)
		}
	}
	t.Setenv("KEY", "hunter2")
	if p := (&publish.Options{Sign: publish.Sign{Key: "env:KEY"}}).CheckFiles(t.Context(), stages.Source{}); len(p) != 1 || !p[0].Warning || strings.Contains(p[0].Message+p[0].Hint, "hunter2") {
		t.Errorf("no key: %+v", p)
	}
	t.Setenv("KEY", private)
	if p := (&publish.Options{Sign: publish.Sign{Key: "env:KEY"}}).CheckFiles(t.Context(), stages.Source{}); p != nil {
		t.Errorf("a key that is there: %v", p)
	}
	if p := (&publish.Options{Name: "news", Alias: "latest", Sign: publish.Sign{Public: file}}).Check(); len(p) != 1 || p[0].Path != "sign.public" {
		t.Errorf("a public key alone: %v", p)
	}
}
