package release

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/models/signature"
)

// publishStated publishes the next release of news, made of a model, signed if key is not nil.
func publishStated(t *testing.T, s *storage.Store, model string, key *signature.PrivateKey) {
	t.Helper()
	put := func(path string, data []byte) storage.TreeEntry {
		a, err := s.Put(t.Context(), bytes.NewReader(data), "")
		if err != nil {
			t.Fatal(err)
		}
		return storage.TreeEntry{Path: path, Digest: a.Digest, Size: a.Size}
	}
	files := []storage.TreeEntry{put(manifestFile, fmt.Appendf(nil, `{"model":%q}`, model))}
	if key != nil {
		bundle, _, err := signature.SignModel(t.Context(), key, "news", map[string]string{manifestFile: files[0].Digest})
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, put(signature.ModelFile, bundle))
	}
	tree, err := s.PutTree(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := models.In(s).Publish(t.Context(), "news", tree, nil); err != nil {
		t.Fatal(err)
	}
}

// TestBefore: the release before a model is the last that somebody trusted signed, where
// that is asked for; a model that is not published yet comes after all.
func TestBefore(t *testing.T) {
	s, err := storage.Open(t.Context(), "mem://", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	key, trust := signer(t)
	other, others := signer(t)
	publishStated(t, s, "a", key)
	publishStated(t, s, "b", nil)
	publishStated(t, s, "c", key)
	publishStated(t, s, "d", other)
	for _, c := range []struct {
		model string
		trust *signature.Trust
		want  int // 0 is none
	}{
		{"a", nil, 0}, {"b", nil, 1}, {"c", nil, 2}, {"d", nil, 3}, {"new", nil, 4},
		{"c", trust, 1}, {"d", trust, 3}, {"new", trust, 3}, {"new", others, 4}, {"d", others, 0},
		{"new", &signature.Trust{Keys: trust.Keys, Revoked: []string{key.ID}}, 0},
	} {
		r, ok, err := Before(t.Context(), stages.Kept{Store: s, Trust: c.trust}, "news", c.model)
		if err != nil || ok != (c.want > 0) || r.Version != c.want {
			t.Errorf("before %s by %+v: version %d, %v, %v, want %d", c.model, c.trust, r.Version, ok, err, c.want)
		}
	}
	_, _, err = Before(t.Context(), stages.Kept{Store: s, Trust: &signature.Trust{Revoked: []string{key.ID}}}, "news", "new")
	if f, ok := errors.AsType[*stages.Failure](err); !ok || f.Code != stages.CodeUsage {
		t.Errorf("revoked keys without trusted ones: %v", err)
	}
}
