package bert_test

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

// modernGolden is testdata/modern.json: what transformers makes of texts; see modern.py.
type modernGolden struct {
	Model string
	Texts []struct {
		Text                   string
		IDs                    []int32
		Mean, CLS, Last, Token []float64
	}
}

func readModern(t *testing.T) (dir string, golden modernGolden) {
	t.Helper()
	dir = encodertest.ModernBERT(t, "model.")
	if *update {
		if out, err := exec.CommandContext(t.Context(), os.Getenv("BENCH_TORCH"), "testdata/modern.py", dir).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	data, err := os.ReadFile("testdata/modern.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	return dir, golden
}

// TestModernBERT compares the vectors of ModernBERT with those of transformers, of texts alone and
// without padding between them, from its folder and from a release of it.
func TestModernBERT(t *testing.T) {
	dir, golden := readModern(t)
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
				compareModern(t, dev, enc, golden, pooling)
			}
		})
	}
}

func compareModern(t *testing.T, dev *device.Device, enc *encoder.Encoder, golden modernGolden, pooling string) {
	t.Helper()
	m, err := bert.FromEncoder(enc, bert.Spec{Categories: []bert.Category{{Name: "x", Tags: []string{""}}}, Pooling: pooling, HeadHidden: 1, MaxLength: 192, Text: []string{"title", "description"}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	saved := t.TempDir()
	if err := m.Save(saved); err != nil {
		t.Fatal(err)
	}
	if m, err = bert.Load(saved); err != nil {
		t.Fatal(err)
	}
	var texts []bert.Text
	for _, g := range golden.Texts {
		ids, types := m.Encode(g.Text, "")
		if !slices.Equal(ids, g.IDs) {
			t.Fatalf("%q: %v, want %v", g.Text, ids, g.IDs)
		}
		texts = append(texts, bert.Text{IDs: ids, Types: types})
	}
	e, err := bert.NewEmbedder(m, dev)
	if err != nil {
		t.Fatal(err)
	}
	flat, err := e.Embed(t.Context(), texts)
	e.Close()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := bert.Pooled(m, dev, texts, false)
	if err != nil {
		t.Fatal(err)
	}
	for i, g := range golden.Texts {
		want, norm := map[string][]float64{bert.Mean: g.Mean, bert.CLS: g.CLS}[pooling], 0.
		for _, x := range want {
			norm += x * x
		}
		for j, x := range want {
			if math.Abs(x-float64(rows[i][j])) > 1e-5 || math.Abs(x/math.Sqrt(norm)-float64(flat[i][j])) > 1e-5 {
				t.Fatalf("%s, text %d of %d tokens, element %d: %g and %g, want %g", pooling, i, len(g.IDs), j, rows[i][j], flat[i][j], x)
			}
		}
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
