package encoder_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

func TestMiniLM(t *testing.T) {
	dir := encodertest.MiniLM(t)
	e, err := encoder.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if e.Config.HiddenSize != 384 || e.Config.NumHiddenLayers != 6 || e.Tokenizer.Size() != 30522 || !e.HasPooler() {
		t.Fatalf("config %+v, %d ids", e.Config, e.Tokenizer.Size())
	}
	// [CLS] hello world [SEP], as every BERT tutorial has it.
	if got := e.Tokenizer.Encode(nil, "Hello, world!", 0); len(got) != 6 || got[0] != 101 || got[1] != 7592 || got[5] != 102 {
		t.Errorf("ids %v", got)
	}
	w, ok := e.Tensor("embeddings.LayerNorm.weight")
	if !ok {
		t.Fatal("no LayerNorm")
	}
	values, err := w.Float32()
	if err != nil || len(values) != 384 || math.IsNaN(float64(values[0])) {
		t.Fatalf("%d values, %v", len(values), err)
	}
	// The table's digest, which makes plans work without a network, is that of the files.
	byName, err := encoder.Resolve(t.Context(), "all-minilm-l6-v2", encoder.Options{Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	byFolder, err := encoder.Resolve(t.Context(), dir, encoder.Options{Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	if byName.Digest != byFolder.Digest {
		t.Errorf("the table says %s, the files have %s", byName.Digest, byFolder.Digest)
	}
	// Writing what was read gives the same tensors, and the same bytes twice.
	var a, b bytes.Buffer
	for _, w := range []*bytes.Buffer{&a, &b} {
		if err := encoder.WriteSafetensors(w, e.Weights.Tensors, e.Weights.Metadata); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("two writes differ")
	}
	again, err := encoder.ReadSafetensors(bytes.NewReader(a.Bytes()), int64(a.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range e.Weights.Tensors {
		if y := again.Tensors[i]; x.Name != y.Name || !bytes.Equal(x.Data, y.Data) {
			t.Fatalf("%s changed", x.Name)
		}
	}
}

func TestUnknownNameListsTheKnown(t *testing.T) {
	for _, ref := range []string{"bert-large", "", "./nowhere", "all minilm", "a/b/c"} {
		_, err := encoder.Resolve(t.Context(), ref, encoder.Options{Offline: true, CacheDir: t.TempDir()})
		var unknown *encoder.UnknownError
		if !errors.As(err, &unknown) || !strings.Contains(err.Error(), "all-minilm-l6-v2") {
			t.Errorf("%q: got %v", ref, err)
		}
	}
}

// tiny writes the smallest encoder that Load accepts, with as many rows in its
// embedding table as its vocabulary has words, or as told.
func tiny(t *testing.T, prefix, gamma, beta string, rows ...int) string {
	t.Helper()
	dir := t.TempDir()
	vocab := "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nStockholm\nbrand\n"
	config := map[string]any{"model_type": "bert", "vocab_size": 7, "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2,
		"intermediate_size": 8, "max_position_embeddings": 16, "type_vocab_size": 2}
	if len(rows) > 0 {
		config["vocab_size"] = rows[0]
	}
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	c, err := encoder.ParseConfig(data)
	if err != nil {
		t.Fatal(err)
	}
	var tensors []encoder.Tensor
	for name, shape := range c.Shapes() {
		n := 1
		for _, d := range shape {
			n *= d
		}
		name = strings.Replace(name, "LayerNorm.weight", "LayerNorm."+gamma, 1)
		name = strings.Replace(name, "LayerNorm.bias", "LayerNorm."+beta, 1)
		tensors = append(tensors, encoder.Float32Tensor(prefix+name, make([]float32, n), shape...))
	}
	var b bytes.Buffer
	if err := encoder.WriteSafetensors(&b, tensors, map[string]string{"format": "pt"}); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"config.json": data, "vocab.txt": []byte(vocab), "model.safetensors": b.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The layout of KB/bert-base-swedish-cased: a prefix, TensorFlow's names, and no
// tokenizer.json.
func TestLoadWithoutTokenizerJSON(t *testing.T) {
	dir := tiny(t, "bert.", "gamma", "beta")
	e, err := encoder.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if e.Prefix != "bert." {
		t.Errorf("prefix %q", e.Prefix)
	}
	if _, ok := e.Tensor("encoder.layer.0.output.LayerNorm.weight"); !ok {
		t.Error("gamma is not found as weight")
	}
	// The vocabulary has capitals, so the encoder is cased although nothing says so.
	if got := e.Tokenizer.Encode(nil, "Stockholm stockholm", 0); got[1] != 5 || got[2] != 1 {
		t.Errorf("ids %v", got)
	}
	if !strings.Contains(string(e.Tokenizer.JSON()), `"strip_accents":false`) {
		t.Error("strip_accents is not written out as false")
	}
}

func TestLoadRefusesWhatDoesNotFit(t *testing.T) {
	edit := func(name string, f func([]byte) []byte) func(string) {
		return func(dir string) {
			path := filepath.Join(dir, name)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, f(data), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		damage func(dir string)
		want   string
	}{
		"shape": {edit("config.json", func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"intermediate_size":8`), []byte(`"intermediate_size":9`), 1)
		}), "config.json asks for"},
		"heads": {edit("config.json", func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"num_attention_heads":2`), []byte(`"num_attention_heads":3`), 1)
		}), "multiple"},
		"family":    {edit("config.json", func(b []byte) []byte { return bytes.Replace(b, []byte(`"bert"`), []byte(`"t5"`), 1) }), "supported are bert"},
		"truncated": {edit("model.safetensors", func(b []byte) []byte { return b[:len(b)-1] }), "cut short"},
		"vocab":     {edit("vocab.txt", func(b []byte) []byte { return append(b, "more\n"...) }), "the tokenizer has 8 ids, the embedding table 7 rows"},
		"too many rows": {func(dir string) {
			wide := tiny(t, "", "weight", "bias", 7+1025)
			for _, name := range []string{"config.json", "model.safetensors"} {
				data, err := os.ReadFile(filepath.Join(wide, name))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}, "the tokenizer has 7 ids, the embedding table 1032 rows"},
		"no number": {edit("model.safetensors", func(b []byte) []byte { return append(b[:len(b)-4], 0, 0, 0xc0, 0x7f) }), "NaN at place"},
		"infinite":  {edit("model.safetensors", func(b []byte) []byte { return append(b[:len(b)-4], 0, 0, 0x80, 0xff) }), "-Inf at place"},
		"special":   {edit("vocab.txt", func(b []byte) []byte { return bytes.Replace(b, []byte("[SEP]"), []byte("sep"), 1) }), "[SEP] is missing"},
		"weights":   {func(dir string) { os.Remove(filepath.Join(dir, "model.safetensors")) }, "only safetensors"},
	} {
		dir := tiny(t, "", "weight", "bias")
		c.damage(dir)
		if _, err := encoder.Load(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q in it", name, err, c.want)
		}
	}
}

func TestFolderThatChangedIsNotTaken(t *testing.T) {
	dir := tiny(t, "", "weight", "bias")
	id, err := encoder.Resolve(t.Context(), dir, encoder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := encoder.Fetch(t.Context(), id, encoder.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "vocab.txt"), []byte("other\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := encoder.Fetch(t.Context(), id, encoder.Options{}); !errors.Is(err, encoder.ErrCorrupt) {
		t.Fatalf("got %v", err)
	}
}
