package promotion_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/answers"
	"github.com/sprint-ml/sprint/jobs/promotion"
	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// publishModel publishes a small model of toy. It returns the digest of its weights.
func publishModel(t *testing.T, s *storage.Store, seed uint64) string {
	t.Helper()
	e, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bert.FromEncoder(e, bert.Spec{
		Categories: []bert.Category{{Name: "fire", Tags: []string{""}}, {Name: "money", Tags: []string{""}}},
		Pooling:    bert.Mean, HeadHidden: 4, MaxLength: 16, Text: []string{"title"},
	}, seed)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"taxonomy.yaml": "categories: [{name: fire, rules: [{words: [fire]}]}, {name: money, rules: [{words: [bank]}]}]", "thresholds.json": "{}"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := storagetest.PutFolder(t.Context(), s, dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := models.In(s).Publish(t.Context(), "toy", tree, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.Files[slices.IndexFunc(r.Files, func(f storage.TreeEntry) bool { return f.Path == "model.safetensors" })].Digest
}

// TestRollbackTries: a rollback loads its target and asks it before the alias moves. One
// whose bytes are damaged is refused by their digest, and the alias stays.
func TestRollbackTries(t *testing.T) {
	dir := t.TempDir()
	s, err := storage.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	weights := publishModel(t, s, 1)
	publishModel(t, s, 2)
	for _, v := range []string{"1", "2"} {
		if _, err := promotion.Promote(t.Context(), s, asks(v, "")); err != nil {
			t.Fatal(err)
		}
	}
	loaded := ""
	log := slog.New(slog.NewTextHandler(writer(func(p []byte) { loaded += string(p) }), nil))
	q := asks("", "misses storms")
	q.Try = promotion.Smoke(s, answers.Options{Store: dir, Device: device.Go, Log: log})
	if m, err := promotion.Rollback(t.Context(), s, q); err != nil || m.Version != 1 || !strings.Contains(loaded, "the model answers") || !strings.Contains(loaded, "toy@1") {
		t.Fatalf("%+v, %v; the log says %s", m, err, loaded)
	}
	moved(t, s, models.Champion, 1, 2, 1)
	if _, err := promotion.Promote(t.Context(), s, asks("2", "")); err != nil {
		t.Fatal(err)
	}
	blob, err := storage.BlobKey(weights)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, filepath.FromSlash(blob))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = promotion.Rollback(t.Context(), s, q)
	if !errors.Is(err, storage.ErrCorrupt) || !strings.Contains(err.Error(), weights) || !strings.Contains(err.Error(), "the alias stays") {
		t.Errorf("to a damaged release: %v", err)
	}
	moved(t, s, models.Champion, 2, 1, 2, 1)
	if named, err := models.In(s).Release(t.Context(), "toy", models.Champion); err != nil || named.Version != 2 {
		t.Errorf("the champion is %d: %v", named.Version, err)
	}
}

// writer makes a writer of a function.
type writer func(p []byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }
