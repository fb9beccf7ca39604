package reload

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/answers"
	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// publish publishes a release of rules alone, whose category has a name; more are files that
// it has beside.
func publish(t *testing.T, s *storage.Store, category string, more ...string) string {
	t.Helper()
	var entries []storage.TreeEntry
	files := map[string]string{"taxonomy.yaml": "categories:\n  - name: " + category + "\n    rules: [{words: [blaze]}]\n", "thresholds.json": "{}"}
	for _, name := range more {
		files[name] = "{}"
	}
	for name, text := range files {
		a, err := s.Put(t.Context(), strings.NewReader(text), "text/plain")
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, storage.TreeEntry{Path: name, Digest: a.Digest, Size: a.Size})
	}
	tree, err := s.PutTree(t.Context(), entries)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = models.In(s).Publish(t.Context(), "news", tree, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	return tree.Digest
}

// TestFolderOfAVersion: a folder in which one happens to stand answers for no release of a
// store, though it is called as one; nor does a release that is another one by now.
func TestFolderOfAVersion(t *testing.T) {
	t.Chdir(t.TempDir())
	s, err := storage.Open(t.Context(), "store", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	publish(t, s, "fire")
	if err := models.In(s).SetAlias(t.Context(), "news", "champion", 1); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("news@1", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"config.json": "{}", "taxonomy.yaml": "categories:\n  - name: flood\n    rules: [{words: [blaze]}]\n", "thresholds.json": "{}"} {
		if err := os.WriteFile(filepath.Join("news@1", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.DiscardHandler)
	source := &Reference{Options: answers.Options{Ref: "news@champion", Store: "store", Device: "go", Cache: t.TempDir(), Log: log}}
	r, err := source.Resolve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	opened, err := source.Open(t.Context(), r, false)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	if got := opened.Classifier.Taxonomy.Names(); got[0] != "fire" || opened.Classifier.Name != "news@1" {
		t.Errorf("%s of %v answers", opened.Classifier.Name, got)
	}
	r.Digest = "sha256:" + strings.Repeat("0", 64)
	if _, err := source.Open(t.Context(), r, false); err == nil || !strings.Contains(err.Error(), "another one than a moment ago") {
		t.Errorf("of another digest: %v", err)
	}
}

// TestReference: an alias of a real store is followed; a damaged release does not answer,
// nor one that lost a file of its model, and that is told; a store that is gone is not made anew, and is found again.
func TestReference(t *testing.T) {
	dir := t.TempDir()
	url := filepath.Join(dir, "store")
	s, err := storage.Open(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	publish(t, s, "fire")
	second, third := publish(t, s, "flood"), publish(t, s, "frost")
	move := func(to int) {
		t.Helper()
		if err := models.In(s).SetAlias(t.Context(), "news", "champion", to); err != nil {
			t.Fatal(err)
		}
	}
	move(1)
	log := slog.New(slog.DiscardHandler)
	k, err := Open(t.Context(), Options{Source: &Reference{Options: answers.Options{Ref: "news@champion", Store: url, Device: "go", Cache: t.TempDir(), Log: log}}, Poll: time.Nanosecond, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	look := func(what, category string) Status {
		t.Helper()
		k.look(t.Context())
		m, done := k.Use()
		defer done()
		if got := m.Classifier.Taxonomy.Names()[0]; got != category {
			t.Errorf("%s: %s answers, of %s", what, m, got)
		}
		return k.Status()
	}
	look("at the start", "fire")
	r, err := models.In(s).ReleaseAt(t.Context(), "news", 2)
	if err != nil {
		t.Fatal(err)
	}
	blob, err := filepath.Glob(filepath.Join(url, "blobs", "*", "*", "*"))
	if err != nil || len(blob) == 0 {
		t.Fatalf("no blobs, %v", err)
	}
	damaged := map[string][]byte{}
	for _, file := range blob {
		if !strings.Contains(file, strings.TrimPrefix(r.Files[0].Digest, "sha256:")) && !strings.Contains(file, strings.TrimPrefix(r.Files[1].Digest, "sha256:")) {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(data) == "{}" {
			continue // it is the others' too
		}
		damaged[file] = data
		if err := os.Chmod(file, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.ToUpper(string(data))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if len(damaged) != 1 {
		t.Fatalf("%d blobs are damaged", len(damaged))
	}
	move(2)
	if st := look("a damaged release", "fire"); st.Refused == nil || st.Refused.Release.Digest != second || !strings.Contains(st.Refused.Reason, "damaged") && !strings.Contains(st.Refused.Reason, "corrupt") {
		t.Errorf("a damaged release: %+v", st.Refused)
	}
	for file, data := range damaged {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if st := look("it is mended", "flood"); st.Refused != nil || st.Swaps != 1 {
		t.Errorf("it is mended: %+v", st)
	}
	if err := os.Rename(url, url+".gone"); err != nil {
		t.Fatal(err)
	}
	if st := look("the store is gone", "flood"); st.Unreachable == "" {
		t.Error("nobody is told that the store is gone")
	}
	if _, err := os.Stat(url); err == nil {
		t.Error("looking made a store")
	}
	if err := os.Rename(url+".gone", url); err != nil {
		t.Fatal(err)
	}
	move(3)
	if st := look("it is back", "frost"); st.Unreachable != "" || st.Swaps != 2 {
		t.Errorf("it is back: %+v", st)
	}
	publish(t, s, "thaw", "config.json", "tokenizer.json")
	move(4)
	if st := look("one that lost its weights", "frost"); st.Refused == nil || !strings.Contains(st.Refused.Reason, "model.safetensors") {
		t.Errorf("one that lost its weights: %+v", st.Refused)
	}
	m, done := k.Use()
	defer done()
	if m.Digest != third || m.Version != 3 {
		t.Errorf("%+v", m.Release)
	}
}

// TestFolderIsMended: the keywords of a folder answer until its model can be loaded, though a
// folder has no versions and this one no manifest.
func TestFolderIsMended(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"taxonomy.yaml": "categories:\n  - name: fire\n    rules: [{words: [blaze]}]\n", "thresholds.json": "{}"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.DiscardHandler)
	k, err := Open(t.Context(), Options{Source: &Reference{Options: answers.Options{Ref: dir, Device: "go", Cache: encodertest.Cache(), Log: log}}, Poll: time.Nanosecond, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	look := func(want string) Status {
		t.Helper()
		k.look(t.Context())
		m, done := k.Use()
		defer done()
		got, _, err := m.Answer(t.Context(), []classify.Text{{Title: "blaze"}}, classify.View{All: true})
		if err != nil || got[0].Source != want {
			t.Errorf("%+v, %v; want those of the %s", got, err, want)
		}
		return k.Status()
	}
	if st := look(classify.SourceKeywords); st.Degraded == nil || st.Degraded.Tries < 2 || st.Refused != nil {
		t.Errorf("without a model: %+v", st.Degraded)
	}
	e, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bert.FromEncoder(e, bert.Spec{Categories: []bert.Category{{Name: "fire", Tags: []string{""}}}, Pooling: bert.Mean, HeadHidden: 4, MaxLength: 16, Text: []string{"title"}}, 1)
	if err == nil {
		err = m.Save(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	if st := look(classify.SourceModel); st.Degraded != nil || st.Swaps != 0 {
		t.Errorf("with its model: %+v", st)
	}
}
