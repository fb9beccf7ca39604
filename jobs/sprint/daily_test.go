package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// publishToy publishes a release of toy that answers by its rules, and makes it champion.
// prompt tells two of them apart.
func publishToy(t *testing.T, store, prompt string) {
	t.Helper()
	e, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bert.FromEncoder(e, bert.Spec{
		Categories: []bert.Category{{Name: "fire", Tags: []string{"", "big"}}, {Name: "money", Tags: []string{""}}},
		Pooling:    bert.Mean, HeadHidden: 4, MaxLength: 32, Text: []string{"title"}, RulesAlone: true, Prompt: prompt,
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"taxonomy.yaml": goodTaxonomy, "thresholds.json": "{}"})
	s, err := storage.Open(t.Context(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tree, err := storagetest.PutFolder(t.Context(), s, dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := models.In(s).Publish(t.Context(), "toy", tree, nil)
	if err == nil {
		err = models.In(s).SetAlias(t.Context(), "toy", "champion", r.Version)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestDailyPlan: a plan classifies by keywords before the first release, by the champion
// then, again when the champion moved, and not else; explain says which release it was.
func TestDailyPlan(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "store")
	write(t, dir, map[string]string{"taxonomy.yaml": goodTaxonomy, "rows.jsonl": "{\"title\":\"Blaze in the harbour\",\"url\":\"https://a.example/1\",\"seendate\":\"20261129T100000Z\"}\n{\"title\":\"Bank shares fall\",\"seendate\":\"20261130T100000Z\"}\n", "plan.yaml": `name: daily
taxonomy: taxonomy.yaml
stages:
  - name: fetch
    with: {source: files, files: {paths: [rows.jsonl]}}
  - name: classify
    with: {model: toy@champion, fallback: keywords}
  - name: aggregate
    with: {export: daily}
`})
	ends := func(want string, words ...string) {
		t.Helper()
		code, stdout, stderr := exec(t, dir, append(words, "plan.yaml", "--store", store)...)
		if said := stdout + stderr; code != 0 || !strings.Contains(said, want) {
			t.Errorf("%v: code %d, no %q in %s", words, code, want, said)
		}
	}
	ends("keywords answered", "run", "--device", "go", "-o", "plain")
	publishToy(t, store, "")
	ends("toy@1", "explain", "classify")
	ends("classify", "run", "--device", "go", "-o", "plain")
	ends("classify   cached", "run", "--device", "go", "-o", "plain")
	publishToy(t, store, "a b")
	ends("toy@2", "explain", "classify")
	ends("classify   succeeded", "run", "--device", "go", "-o", "plain")
	s, err := storage.Open(t.Context(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := models.In(s).SetAlias(t.Context(), "toy", "champion", 1); err != nil {
		t.Fatal(err)
	}
	ends("aggregate  succeeded", "run", "--device", "go", "-o", "plain") // that release has answered before, and the export is another's
	ends("aggregate  cached", "run", "--device", "go", "-o", "plain")
	if err := os.RemoveAll(filepath.Join(dir, "daily", "date=2026-11-30")); err != nil {
		t.Fatal(err)
	}
	ends("the export lacks date=2026-11-30/part-0.parquet", "plan")
	ends("aggregate  succeeded", "run", "--device", "go", "-o", "plain")
	if _, err := os.Stat(filepath.Join(dir, "daily", "date=2026-11-30", "part-0.parquet")); err != nil {
		t.Error(err)
	}
	ends("aggregate  cached", "run", "--device", "go", "-o", "plain")
}
