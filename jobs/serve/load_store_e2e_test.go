//go:build e2e || soak

package serve

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/answers"
	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/stages/rows/titles"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// publishTiny publishes a small model with weights of its own.
func publishTiny(t *testing.T, s *storage.Store, seed uint64) {
	t.Helper()
	e, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bert.FromEncoder(e, bert.Spec{Categories: []bert.Category{{Name: "fire", Tags: []string{"", "big"}}, {Name: "money", Tags: []string{""}}}, Pooling: bert.Mean, HeadHidden: 4, MaxLength: 16, Text: []string{"title", "description"}}, seed)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"taxonomy.yaml":   "categories:\n  - name: fire\n    tags: [big]\n    rules: [{words: [fire], tag: big}]\n  - name: money\n    rules: [{words: [bank]}]\n",
		"thresholds.json": "{}",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := storagetest.PutFolder(t.Context(), s, dir)
	if err == nil {
		_, err = models.In(s).Publish(t.Context(), "news", tree, []byte("{}"))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// loadTexts are what clients ask: short and long ones, and some of a megabyte.
func loadTexts() []classify.Text {
	rng := rand.New(rand.NewPCG(1, 2))
	word := func() string { return "w" + string(rune('a'+rng.IntN(2))) + string(rune('a'+rng.IntN(26))) }
	var out []classify.Text
	for n := range 60 {
		size := 1 + rng.IntN(20)
		if n%20 == 19 {
			size = 249_990 // a megabyte
		}
		words := make([]string, size)
		for i := range words {
			words[i] = word()
		}
		x := classify.Text{Title: strings.Join(words, " ")}
		if n%3 == 0 {
			x.Description = word() + " " + word()
		}
		out = append(out, x)
	}
	return out
}

// loadStore makes a store with releases of the model news, and what each of them answers.
// LOAD_STORE is the folder of another one, with as many releases of the first model in it: it
// is copied, and its models are computed by whatever is there.
func loadStore(t *testing.T, o *answers.Options, texts []classify.Text) (name string, want map[string][]classify.Answer) {
	t.Helper()
	own := os.Getenv("LOAD_STORE")
	if own != "" {
		o.Device = "auto"
		if err := os.CopyFS(o.Store, os.DirFS(own)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := storage.Open(t.Context(), o.Store, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if own == "" {
		for v := range loadReleases {
			publishTiny(t, s, uint64(v+1))
		}
	}
	names, err := models.In(s).Names(t.Context())
	if err != nil || len(names) == 0 {
		t.Fatalf("the store has the models %v, %v", names, err)
	}
	name, want = names[0], map[string][]classify.Answer{}
	var normal []classify.Text
	for _, x := range texts {
		normal = append(normal, classify.Text{Title: titles.Normalize(x.Title), Description: x.Description})
	}
	for v := 1; v <= loadReleases; v++ {
		o.Ref = fmt.Sprintf("%s@%d", name, v)
		c, fallback, done, err := answers.Open(t.Context(), *o)
		if err != nil || fallback != nil {
			t.Fatal(err, fallback)
		}
		if want[o.Ref], err = c.Classify(t.Context(), normal, true); err != nil {
			t.Fatal(err)
		}
		done()
	}
	o.Ref = name + "@load"
	if err := models.In(s).SetAlias(t.Context(), name, "load", 1); err != nil {
		t.Fatal(err)
	}
	return name, want
}
