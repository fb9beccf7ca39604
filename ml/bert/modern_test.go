package bert_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

// TestModernBERT compares the vectors of ModernBERT with those of transformers, of texts alone and
// without padding between them, from its folder and from a release of it.
func TestModernBERT(t *testing.T) {
	dir := encodertest.ModernBERT(t, "model.")
	golden := readGolden(t, "modern", dir)
	enc, err := encoder.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if golden.Model != "ModernBertModel" || enc.Config.Architecture() != golden.Model || enc.Prefix != "model." {
		t.Fatalf("%s, %s, prefix %q", golden.Model, enc.Config.Architecture(), enc.Prefix)
	}
	for _, name := range []string{device.Go, device.CPU} {
		if name == device.CPU && !device.HasXLA {
			continue
		}
		t.Run(name, func(t *testing.T) {
			dev, err := device.Open(t.Context(), name, device.Options{CacheDir: encodertest.Cache()})
			if err != nil {
				t.Fatal(err)
			}
			defer dev.Close()
			for _, pooling := range []string{bert.Mean, bert.CLS} {
				golden.compare(t, dev, enc, pooling, 192, 1e-5)
			}
		})
	}
}

// TestModernBERTFolder: a release of such an encoder is in its own layout.
func TestModernBERTFolder(t *testing.T) {
	enc, err := encoder.Load(encodertest.ModernBERT(t, "model."))
	if err != nil {
		t.Fatal(err)
	}
	spec := bert.Spec{Categories: []bert.Category{{Name: "x", Tags: []string{""}}}, Pooling: bert.Pooler, HeadHidden: 1, MaxLength: 192, Text: []string{"title"}}
	if _, err := bert.FromEncoder(enc, spec, 1); err == nil || !strings.Contains(err.Error(), "has no pooler; use pooling mean or cls") {
		t.Errorf("a pooler of ModernBERT: %v", err)
	}
	spec.Pooling = bert.Mean
	m, err := bert.FromEncoder(enc, spec, 1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "vocab.txt")); err == nil || !strings.Contains(string(text), `"ModernBertModel"`) {
		t.Errorf("config.json: %s; vocab.txt: %v", text, err)
	}
	again, err := bert.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range m.Params {
		if q := again.Params[i]; p.Name != q.Name || !slices.Equal(p.Data, q.Data) {
			t.Errorf("%s is not what was saved", p.Name)
		}
	}
	a, err := m.EmbedderDigest()
	if err != nil {
		t.Fatal(err)
	}
	m.Spec.Encoder.Rotary.Reach++
	if b, err := m.EmbedderDigest(); err != nil || a == b {
		t.Errorf("the digest of the vectors says nothing of whom tokens see: %s, %v", b, err)
	}
}
