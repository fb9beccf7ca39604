package release_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/ml/onnx/ort"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// outside is a testing.TB for what an example needs before it begins.
type outside struct{ testing.TB }

func (outside) Helper()                   {}
func (outside) Fatal(args ...any)         { log.Panic(args...) }
func (outside) Fatalf(f string, a ...any) { log.Panicf(f, a...) }
func (outside) Cleanup(func())            {}
func (outside) TempDir() string {
	dir, err := os.MkdirTemp("", "release-example-*")
	if err != nil {
		log.Panic(err)
	}
	return dir
}

// published is the folder of a store that has the release toy@1 of a small model, which
// answers as its rules do.
func published(t testing.TB) string {
	e, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bert.FromEncoder(e, bert.Spec{
		Categories: []bert.Category{{Name: "fire", Tags: []string{"", "red"}}, {Name: "money", Tags: []string{""}}},
		Pooling:    bert.Mean, HeadHidden: 4, MaxLength: 16, Text: []string{"title"}, RulesAlone: true,
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	defer os.RemoveAll(dir)
	const taxonomy = "categories: [{name: fire, tags: [red], rules: [{words: [blaze], tag: red}]}, {name: money, rules: [{words: [bank]}]}]\n"
	err = errors.Join(m.Save(dir), os.WriteFile(filepath.Join(dir, "taxonomy.yaml"), []byte(taxonomy), 0o600),
		os.WriteFile(filepath.Join(dir, "thresholds.json"), []byte(`{"fire":0.5,"money":0.5}`), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	url, ctx := filepath.Join(t.TempDir(), "store"), context.Background()
	s, err := storage.Open(ctx, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tree, err := storagetest.PutFolder(ctx, s, dir)
	if err == nil {
		_, err = models.In(s).Publish(ctx, "toy", tree, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// A program answers with a published model.
func ExampleOpen() {
	store := published(outside{}) // what `sprint run` made, of a plan with the stage publish
	defer os.RemoveAll(filepath.Dir(store))

	ctx := context.Background()
	model, err := release.Open(ctx, "toy@1", release.WithStore(store), release.WithDevice("go"))
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	answers, err := model.Classify(ctx, release.Text{Title: "Blaze in the harbour"}, release.Text{Title: "Calm sea"})
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range answers {
		if a.Top == nil {
			fmt.Println("none")
			continue
		}
		fmt.Println(*a.Top, a.Categories[*a.Top].Tag, "by", *a.Model)
	}
	// Output:
	// fire red by toy@1
	// none
}

// TestOpenedByMany: goroutines ask one model at once, while it is closed: each has the
// answers about its own texts, or ErrClosed.
func TestOpenedByMany(t *testing.T) {
	by := map[string][]release.Option{release.BackendDevice: {release.WithDevice("go"), release.WithCache(t.TempDir())}}
	if ort.Available {
		by[release.BackendONNX] = []release.Option{release.WithBackend(release.BackendONNX), release.WithCache(encodertest.Cache())}
	}
	store := published(t)
	for backend, options := range by {
		t.Run(backend, func(t *testing.T) {
			m, err := release.Open(t.Context(), "toy@1", append(options, release.WithStore(store))...)
			if err != nil {
				t.Fatal(err)
			}
			askByMany(t, m)
		})
	}
}

// askByMany asks a model of published by many goroutines, and closes it meanwhile.
func askByMany(t *testing.T, m *release.Model) {
	if m.Name() != "toy@1" || len(m.Categories()) != 2 {
		t.Errorf("%s %v", m.Name(), m.Categories())
	}
	var all sync.WaitGroup
	asked := make(chan struct{}, 8)
	for i := range 8 {
		all.Go(func() {
			title, want := "A blaze", "fire"
			if i%2 == 1 {
				title, want = "The bank", "money"
			}
			for n := 0; ; n++ {
				answers, err := m.Classify(t.Context(), release.Text{Title: title}, release.Text{Title: "calm"})
				if errors.Is(err, release.ErrClosed) {
					return
				}
				if err != nil || len(answers) != 2 || answers[0].Top == nil || *answers[0].Top != want || answers[1].Top != nil {
					t.Errorf("%s: %v %+v", title, err, answers)
				}
				if n == 3 {
					asked <- struct{}{}
				}
			}
		})
	}
	for range 8 {
		<-asked
	}
	m.Close()
	m.Close()
	all.Wait()
}

// TestOpenFails: what is not there, or damaged, is told by its code, and no keywords answer.
func TestOpenFails(t *testing.T) {
	store := published(t)
	for ref, code := range map[string]stages.Code{"toy@7": stages.CodeEnvironment, "other": stages.CodeEnvironment, t.TempDir() + "/none": stages.CodeEnvironment, "toy@": stages.CodeUsage, "": stages.CodeUsage} {
		_, err := release.Open(t.Context(), ref, release.WithStore(store), release.WithDevice("go"))
		if f, ok := errors.AsType[*stages.Failure](err); !ok || f.Code != code {
			t.Errorf("%s: %v", ref, err)
		}
	}
	if _, err := release.Open(t.Context(), "toy@1", release.WithStore(store), release.WithDevice("tpux")); err == nil {
		t.Error("a device that there is not")
	}
	withoutWeights(t, store)
	_, err := release.Open(t.Context(), "toy@2", release.WithStore(store), release.WithDevice("go"))
	if f, ok := errors.AsType[*stages.Failure](err); !ok || f.Code != stages.CodeIntegrity || !strings.Contains(err.Error(), "toy@2 of digest sha256:") || !strings.Contains(err.Error(), "model.safetensors") {
		t.Errorf("without weights: %v", err)
	}
	for why, c := range map[string]struct {
		options []release.Option
		code    stages.Code
	}{
		`"onx" is not one of device, onnx`: {[]release.Option{release.WithBackend("onx")}, stages.CodeUsage},
		"the device is go":                 {[]release.Option{release.WithBackend(release.BackendONNX), release.WithDevice("go")}, stages.CodeUsage},
		"onnx":                             {[]release.Option{release.WithBackend(release.BackendONNX), release.WithCache(t.TempDir()), release.Offline()}, stages.CodeEnvironment},
	} {
		_, err := release.Open(t.Context(), "toy@1", append(c.options, release.WithStore(store))...)
		if f, ok := errors.AsType[*stages.Failure](err); !ok || f.Code != c.code || !strings.Contains(strings.ToLower(f.Error()), why) {
			t.Errorf("%s: %v", why, err)
		}
	}
}

// withoutWeights publishes the next version of toy, which has lost its weights.
func withoutWeights(t *testing.T, store string) {
	t.Helper()
	s, err := storage.Open(t.Context(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := models.In(s).ReleaseAt(t.Context(), "toy", 1)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := s.PutTree(t.Context(), slices.DeleteFunc(r.Files, func(e storage.TreeEntry) bool { return e.Path == "model.safetensors" }))
	if err == nil {
		_, err = models.In(s).Publish(t.Context(), "toy", tree, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}
