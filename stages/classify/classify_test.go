package classify_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/ml/onnx/ort"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/classify"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/stagetest"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

const taxonomyText = `categories:
  - name: fire
    tags: [red]
    rules: [{words: [blaze], tag: red}]
  - name: money
    rules: [{words: [bank]}]
`

// articles are three rows, of which the first carries a label of its own.
func articles(t *testing.T) []byte {
	t.Helper()
	table := []rows.Row{
		{Title: "Blaze in the harbour", URL: "https://a.example/1", SeenAt: "20261129T100000Z", Labels: []rows.Label{{Score: 1}}},
		{Title: "Bank shares fall", Description: "all day"},
		{Title: "Calm sea", ID: "3", Language: "en"},
	}
	var out bytes.Buffer
	if err := rows.WriteParquet(&out, table, []string{"weather"}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// publish makes a release of toy whose weights follow from seed, and moves champion to it.
func publish(t *testing.T, s *storage.Store, seed uint64) models.Release {
	t.Helper()
	e, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bert.FromEncoder(e, bert.Spec{
		Categories: []bert.Category{{Name: "fire", Tags: []string{"", "red"}}, {Name: "money", Tags: []string{""}}},
		Pooling:    bert.Mean, HeadHidden: 4, MaxLength: 16, Text: []string{"title"},
	}, seed)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"taxonomy.yaml": taxonomyText, "thresholds.json": `{"fire":-1,"money":-1}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
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
	return r
}

func options(model, fallback string) *classify.Options {
	return &classify.Options{Model: model, Fallback: fallback}
}

func testCase(t *testing.T, s *storage.Store, o *classify.Options) stagetest.Case {
	t.Helper()
	return stagetest.Case{
		Kind: classify.Kind(), Options: o, Store: s, Taxonomy: stages.Source{Name: "taxonomy.yaml", Data: []byte(taxonomyText)},
		Inputs: map[string]any{"articles": articles(t)}, Env: func(e *stages.Env) { e.Device = device.Go },
	}
}

// report is what is read of classify_report.
type report struct {
	Model                           *string
	Release                         string
	Rows, ByModel, ByKeywords, None int
	Categories                      map[string]int
}

func run(t *testing.T, c stagetest.Case) (*stagetest.Result, []rows.Row, report) {
	t.Helper()
	res := stagetest.MustRun(t, c)
	table, categories, err := rows.DecodeParquet(bytes.NewReader(res.File(t, "classified")))
	if err != nil || !slices.Equal(categories, []string{"fire", "money"}) {
		t.Fatalf("%v: %v", err, categories)
	}
	var r struct {
		report
		ByModel    int `json:"by_model"`
		ByKeywords int `json:"by_keywords"`
	}
	if err := json.Unmarshal(res.File(t, "classify_report"), &r); err != nil {
		t.Fatal(err)
	}
	r.report.ByModel, r.report.ByKeywords = r.ByModel, r.ByKeywords
	return res, table, r.report
}

// TestKeywordsFirst: before the first release the plan's rules answer, keyed by them, and
// only if the plan says so.
func TestKeywordsFirst(t *testing.T) {
	s := stagetest.Store(t)
	res, table, r := run(t, testCase(t, s, options("toy@champion", "keywords")))
	if r.Model != nil || r.ByKeywords != 3 || r.None != 1 || r.Categories["fire"] != 1 || r.Categories["money"] != 1 {
		t.Errorf("%+v", r)
	}
	if len(table) != 3 || table[0].Labels[0].Score != 1 || table[0].Labels[0].Tag != "red" || !table[0].Labels[1].Abstain || !table[2].Labels[0].Abstain {
		t.Errorf("%+v", table)
	}
	for _, row := range table {
		if row.LabelSource != "keywords" {
			t.Errorf("%+v", row)
		}
	}
	if table[0].SeenAt == "" || table[0].URL == "" || table[1].Description != "all day" || table[2].ID != "3" || table[2].Language != "en" {
		t.Errorf("fields are lost: %+v", table)
	}
	other := testCase(t, s, options("toy@champion", "keywords"))
	other.Taxonomy.Data = []byte(strings.Replace(taxonomyText, "blaze", "inferno", 1))
	changed, _, r := run(t, other)
	if r.Categories["fire"] != 0 || equal(t, changed.External, res.External) {
		t.Errorf("other rules: %+v, keyed %v", r, changed.External)
	}
	_, err := stagetest.Try(t, testCase(t, s, options("toy", "none")))
	if f, ok := errors.AsType[*stages.Failure](err); !ok || f.Code != stages.CodeEnvironment || !strings.Contains(f.Hint, "fallback: keywords") {
		t.Errorf("no model and no fallback: %v", err)
	}
}

// TestModelIsKeyed: the release answers once it is there; the key holds its digest, which
// changes when the alias moves, and not with the taxonomy of the plan.
func TestModelIsKeyed(t *testing.T) {
	s := stagetest.Store(t)
	first := publish(t, s, 1)
	res, table, r := run(t, testCase(t, s, options("toy@champion", "keywords")))
	if r.Model == nil || *r.Model != "toy@1" || r.Release != first.Digest || r.ByModel != 3 || table[1].LabelSource != "model" || table[2].Labels[0].Abstain {
		t.Errorf("%+v %+v", r, table)
	}
	if res.External["release"] != first.Digest || res.External["model"] != "toy@1" || len(res.External) != 2 {
		t.Errorf("keyed %v", res.External)
	}
	other := testCase(t, s, options("toy@champion", "keywords"))
	other.Taxonomy.Data = []byte(strings.Replace(taxonomyText, "blaze", "inferno", 1))
	if same, _, _ := run(t, other); !equal(t, same.External, res.External) {
		t.Errorf("the plan's rules do not answer, and are keyed: %v", same.External)
	}
	second := publish(t, s, 2)
	moved, after, r := run(t, testCase(t, s, options("toy@champion", "none")))
	if *r.Model != "toy@2" || moved.External["release"] != second.Digest || after[0].Labels[0].Score == table[0].Labels[0].Score {
		t.Errorf("after the move: %+v %v", r, moved.External)
	}
	if pinned, _, _ := run(t, testCase(t, s, options("toy@1", "none"))); !equal(t, pinned.External, res.External) {
		t.Errorf("version 1: %v, want %v", pinned.External, res.External)
	}
	// What was resolved counts, whatever the alias says when the stage runs.
	late := testCase(t, s, options("toy@champion", "none"))
	late.Env = func(e *stages.Env) { e.Device, e.External = device.Go, res.External }
	if _, _, r := run(t, late); *r.Model != "toy@1" {
		t.Errorf("the alias moved after the key was made: %+v", r)
	}
}

// TestReleaseGoesAway: where a release was there when the key was made, no rules answer in its
// place when it is gone, or another one: the stage fails by its name.
func TestReleaseGoesAway(t *testing.T) {
	s := stagetest.Store(t)
	publish(t, s, 1)
	c := testCase(t, s, options("toy@champion", "keywords"))
	res, _, _ := run(t, c)
	for name, external := range map[string]stages.External{
		"version":      {"model": "toy@7", "release": res.External["release"]},
		"other digest": {"model": "toy@1", "release": "sha256:" + strings.Repeat("0", 64)},
	} {
		c.Env = func(e *stages.Env) { e.Device, e.External = device.Go, external }
		model := external["model"].(string)
		got, err := stagetest.Try(t, c)
		if err != nil || got.Err == nil || !strings.Contains(got.Err.Error(), model) {
			t.Errorf("%s: %v, %v", name, err, got.Err)
		}
	}
}

// TestBackend: ONNX Runtime gives the answers that the device gives, and is refused beside a
// device that it cannot compute on.
func TestBackend(t *testing.T) {
	s := stagetest.Store(t)
	publish(t, s, 1)
	c := testCase(t, s, options("toy@champion", "none"))
	want, table, _ := run(t, c)
	o := options("toy@champion", "none")
	o.Backend = "onnx"
	c.Options = o
	got, err := stagetest.Try(t, c) // on the device go
	if f, ok := errors.AsType[*stages.Failure](got.Err); err != nil || !ok || f.Code != stages.CodeEnvironment || !strings.Contains(f.Error(), "the device is go") {
		t.Errorf("beside a device: %v, %v", err, got.Err)
	}
	c.Env = func(e *stages.Env) { e.Device, e.CacheDir, e.Offline = device.Auto, t.TempDir(), true }
	got, err = stagetest.Try(t, c)
	if f, ok := errors.AsType[*stages.Failure](got.Err); err != nil || !ok || f.Code != stages.CodeEnvironment || !strings.Contains(f.Hint, "leave out backend: onnx") {
		t.Errorf("without the library: %v, %v", err, got.Err)
	}
	if !ort.Available {
		return
	}
	c.Env = func(e *stages.Env) { e.Device, e.CacheDir = device.Auto, encodertest.Cache() }
	res, answered, r := run(t, c)
	if !equal(t, res.External, want.External) || r.ByModel != 3 {
		t.Errorf("%+v, keyed %v", r, res.External)
	}
	for i := range table {
		for k := range table[i].Labels {
			x, y := table[i].Labels[k], answered[i].Labels[k]
			if math.Abs(float64(x.Score-y.Score)) > 2e-4 || x.Tag != y.Tag || x.Abstain != y.Abstain {
				t.Errorf("row %d: %+v by ONNX Runtime, %+v by the device", i, y, x)
			}
		}
	}
	if note := fmt.Sprint(res.Notes["device"]); !strings.Contains(note, "ONNX Runtime") {
		t.Errorf("noted: %v", res.Notes)
	}
}

func equal(t *testing.T, a, b stages.External) bool {
	t.Helper()
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(x, y)
}

// TestReferences: what is no model of a store is a problem of the plan.
func TestReferences(t *testing.T) {
	for model, wrong := range map[string]bool{"toy": false, "toy@3": false, "toy@champion": false, "": true, "toy@": true, "toy@0": true, "../toy": true, "s3://b/models/toy": true, "toy@cham pion": true} {
		if got := len(options(model, "none").Check()) > 0; got != wrong {
			t.Errorf("%q: refused %v, want %v", model, got, wrong)
		}
	}
}
