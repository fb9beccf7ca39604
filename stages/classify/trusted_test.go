package classify_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/stagetest"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/models/signature"
	"github.com/sprint-ml/sprint/storage/models/signature/signaturetest"
)

// pair is a new key, and the file of its public half.
func pair(t *testing.T) (key *signature.PrivateKey, public string) {
	t.Helper()
	private, shown := signaturetest.Pair(t)
	public = filepath.Join(t.TempDir(), "release.pub")
	if err := os.WriteFile(public, []byte(shown), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := signature.ParsePrivateKey([]byte(private))
	if err != nil {
		t.Fatal(err)
	}
	return key, public
}

// signed publishes the files of a release once more, with a signature.
func signed(t *testing.T, s *storage.Store, r models.Release, key *signature.PrivateKey) models.Release {
	t.Helper()
	files := map[string]string{}
	for _, e := range r.Files {
		files[e.Path] = e.Digest
	}
	bundle, _, err := signature.SignModel(t.Context(), key, r.Name, files)
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Put(t.Context(), bytes.NewReader(bundle), "")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := s.PutTree(t.Context(), append(r.Files, storage.TreeEntry{Path: signature.ModelFile, Digest: a.Digest, Size: a.Size}))
	if err != nil {
		t.Fatal(err)
	}
	out, err := models.In(s).Publish(t.Context(), r.Name, tree, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestTrusted: a release answers where all who are asked for signed it: a key of the config
// and that of the stage. One that is revoked signs for neither. What signed it is no part of
// the key, so nothing is answered anew.
func TestTrusted(t *testing.T) {
	s := stagetest.Store(t)
	ours, public := pair(t)
	others, otherPublic := pair(t)
	signed(t, s, publish(t, s, 1), ours) // toy@2 of toy@1
	trust := func(revoked []string, keys ...*signature.PrivateKey) *signature.Trust {
		out := &signature.Trust{Revoked: revoked}
		for _, k := range keys {
			out.Keys = append(out.Keys, &k.PublicKey)
		}
		return out
	}
	revoked := []string{ours.ID}
	for name, c := range map[string]struct {
		model, key string
		trust      *signature.Trust
		says       string
		code       stages.Code
	}{
		"nobody asks":                       {"toy@1", "", nil, "", 0},
		"unsigned, the config asks":         {"toy@1", "", trust(nil, ours), "it is not signed", stages.CodeIntegrity},
		"unsigned, the stage asks":          {"toy@1", public, nil, "it is not signed", stages.CodeIntegrity},
		"signed, the config asks":           {"toy@2", "", trust(nil, others, ours), "", 0},
		"signed, both ask":                  {"toy@2", public, trust(nil, ours), "", 0},
		"the config asks for another":       {"toy@2", "", trust(nil, others), "signed by another key", stages.CodeIntegrity},
		"the stage asks for another":        {"toy@2", otherPublic, trust(nil, ours), "signed by another key", stages.CodeIntegrity},
		"only the stage's key is another":   {"toy@2", public, trust(nil, others), "signed by another key", stages.CodeIntegrity},
		"revoked, the config asks":          {"toy@2", "", trust(revoked, ours, others), "signed by a revoked key", stages.CodeIntegrity},
		"revoked, the stage asks":           {"toy@2", public, trust(revoked, others), "is refused", stages.CodeIntegrity},
		"revoked, the stage alone asks":     {"toy@2", public, trust(revoked), "signed by a revoked key", stages.CodeIntegrity},
		"another is revoked":                {"toy@2", public, trust([]string{others.ID}), "", 0},
		"revoked keys without trusted ones": {"toy@2", "", trust(revoked), "no key must have signed", stages.CodeUsage},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(c.model, "none")
			o.Key = c.key
			tried := testCase(t, s, o)
			tried.Trust = c.trust
			res, err := stagetest.Try(t, tried)
			failure, _ := errors.AsType[*stages.Failure](err)
			switch {
			case c.says != "" && (failure == nil || failure.Code != c.code || failure.Hint == "" || !strings.Contains(err.Error(), c.says)):
				t.Errorf("%v, want %q", err, c.says)
			case c.says == "" && (err != nil || res.Err != nil):
				t.Errorf("%v %v", err, res)
			case c.says == "" && c.key != "" && res.Notes["signed_by"] != ours.ID:
				t.Errorf("signed by %v, want %s", res.Notes["signed_by"], ours.ID)
			case c.says == "" && c.key == "" && len(res.External) != 2:
				t.Errorf("keyed is %v", res.External)
			}
		})
	}
}

// TestRecordOfOtherFiles: the files are those of the digest that was compared with the
// signature, whatever the record of the release lists beside it.
func TestRecordOfOtherFiles(t *testing.T) {
	s := stagetest.Store(t)
	key, _ := pair(t)
	whole := signed(t, s, publish(t, s, 1), key)
	other := publish(t, s, 2) // toy@3
	forge(t, s, whole, other.Files)
	c := testCase(t, s, options("toy@2", "none"))
	c.Trust = &signature.Trust{Keys: []*signature.PublicKey{&key.PublicKey}}
	_, table, r := run(t, c)
	genuine := stagetest.Store(t)
	publish(t, genuine, 1)
	if _, want, _ := run(t, testCase(t, genuine, options("toy@1", "none"))); r.ByModel != 3 || table[0].Labels[0].Score != want[0].Labels[0].Score {
		t.Errorf("another model answered: %+v, want %+v", table[0].Labels, want[0].Labels)
	}
}

// forge writes into a release's record the files of another one.
func forge(t *testing.T, s *storage.Store, r models.Release, files []storage.TreeEntry) {
	t.Helper()
	key := strings.TrimSuffix(models.FileKey(r.Name, r.Version, ""), "files/") + "release.json"
	_, at, err := s.Read(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	r.Files = files
	body, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Swap(t.Context(), key, at, body); err != nil {
		t.Fatal(err)
	}
}
