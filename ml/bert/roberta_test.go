package bert_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

var update = flag.Bool("update", false, "rewrite testdata/roberta.json with the torch and transformers of the Python that $BENCH_TORCH names")

// TestRoberta compares the vectors of XLM-RoBERTa with those of transformers: positions begin
// behind that of padding, there is one type, and the tokenizer is a unigram model.
func TestRoberta(t *testing.T) {
	dir := encodertest.XLMRoberta(t)
	golden := readGolden(t, "roberta", dir)
	enc, err := encoder.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if golden.Model != "XLMRobertaModel" || enc.Config.Architecture() != golden.Model || enc.Prefix != "roberta." {
		t.Fatalf("%s, %s, prefix %q", golden.Model, enc.Config.Architecture(), enc.Prefix)
	}
	dev := goDevice(t)
	for _, pooling := range []string{bert.Mean, bert.CLS, bert.Pooler} {
		golden.compare(t, dev, enc, pooling, 32, 2e-5)
	}
}

// TestHalve: what is measured after Halve holds for the file, which has half the bytes.
func TestHalve(t *testing.T) {
	enc, err := encoder.Load(encodertest.XLMRoberta(t))
	if err != nil {
		t.Fatal(err)
	}
	spec := bert.Spec{Categories: []bert.Category{{Name: "x", Tags: []string{""}}}, Pooling: bert.Mean, HeadHidden: 4, MaxLength: 32, Text: []string{"title"}}
	m, err := bert.FromEncoder(enc, spec, 1)
	if err != nil {
		t.Fatal(err)
	}
	whole, half, again := t.TempDir(), t.TempDir(), t.TempDir()
	if err := m.Save(whole); err != nil {
		t.Fatal(err)
	}
	if err := m.Halve(); err != nil {
		t.Fatal(err)
	}
	if err := m.Save(half); err != nil {
		t.Fatal(err)
	}
	loaded, err := bert.Load(half)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range m.Params {
		if !slices.Equal(p.Data, loaded.Params[i].Data) {
			t.Errorf("%s is not what was rounded", p.Name)
		}
	}
	if err := loaded.Save(again); err != nil {
		t.Fatal(err)
	}
	size := func(dir string) int64 {
		info, err := os.Stat(filepath.Join(dir, "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	if a, b, c := size(whole), size(half), size(again); b > a*6/10 || b != c {
		t.Errorf("%d bytes, as fp16 %d, saved again %d", a, b, c)
	}
	m.Params[0].Data[3] = 1e6
	if err := m.Halve(); err == nil || !strings.Contains(err.Error(), "keep fp32") {
		t.Errorf("1e6 as fp16: %v", err)
	}
}

// TestRobertaFolder: a release of such an encoder is in its own layout, and no text is longer than
// its positions.
func TestRobertaFolder(t *testing.T) {
	enc, err := encoder.Load(encodertest.XLMRoberta(t))
	if err != nil {
		t.Fatal(err)
	}
	spec := bert.Spec{Categories: []bert.Category{{Name: "x", Tags: []string{""}}}, Pooling: bert.Mean, HeadHidden: 1, MaxLength: 33, Text: []string{"title"}}
	if _, err := bert.FromEncoder(enc, spec, 1); err == nil || !strings.Contains(err.Error(), "4 to 32 tokens") {
		t.Errorf("33 tokens in 34 positions of which two are taken: %v", err)
	}
	spec.MaxLength = 32
	m, err := bert.FromEncoder(enc, spec, 1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "vocab.txt")); err == nil {
		t.Error("there is a vocab.txt of a unigram model")
	}
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"XLMRobertaModel"`) {
		t.Errorf("config.json: %s", text)
	}
}
