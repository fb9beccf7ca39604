package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder"
)

// size is the shape of an encoder.
type size struct {
	Name                               string
	Layers, Hidden, Heads, Inner, Rows int // Rows of the embedding table
	Positions                          int
}

// The encoders that are measured: the shapes of all-MiniLM-L6-v2 and of BERT-base, and one
// whose training takes milliseconds.
func miniLM() size   { return size{"6x384", 6, 384, 12, 1536, 30522, 512} }
func bertBase() size { return size{"12x768", 12, 768, 12, 3072, 30522, 512} }
func tiny() size     { return size{"2x32", 2, 32, 2, 64, 300, 64} }

const specialTokens = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"

// write makes an encoder of seeded random weights in a folder.
func (z size) write(dir string) error {
	config := map[string]any{"model_type": "bert", "vocab_size": z.Rows, "hidden_size": z.Hidden, "num_hidden_layers": z.Layers, "num_attention_heads": z.Heads,
		"intermediate_size": z.Inner, "max_position_embeddings": z.Positions, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": "gelu"}
	text, err := json.Marshal(config)
	if err != nil {
		return err
	}
	c, err := encoder.ParseConfig(text)
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // the same weights on every machine
	shapes := c.Shapes()
	var tensors []encoder.Tensor
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		n := 1
		for _, d := range shapes[name] {
			n *= d
		}
		data := make([]float32, n)
		for i := range data {
			switch {
			case strings.HasSuffix(name, "LayerNorm.weight"):
				data[i] = 1
			case !strings.HasSuffix(name, "bias"):
				data[i] = float32(rng.NormFloat64() * 0.02)
			}
		}
		tensors = append(tensors, encoder.Float32Tensor(name, data, shapes[name]...))
	}
	f, err := os.Create(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := encoder.WriteSafetensors(f, tensors, nil); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), text, 0o600); err != nil {
		return err
	}
	vocab := specialTokens + strings.Join(words(z.Rows-5), "\n") + "\n"
	return os.WriteFile(filepath.Join(dir, "vocab.txt"), []byte(vocab), 0o600)
}

// words are so many different ones of small letters.
func words(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("w%c%c%c%c", 'a'+i/17576%26, 'a'+i/676%26, 'a'+i/26%26, 'a'+i%26)
	}
	return out
}

// model is the encoder with nine heads.
func (z size) model(dir string) (*bert.Model, error) {
	e, err := encoder.Load(dir)
	if err != nil {
		return nil, err
	}
	var categories []bert.Category
	for i := range 9 {
		categories = append(categories, bert.Category{Name: fmt.Sprintf("c%d", i), Tags: []string{"", "a", "b", "c", "d", "e"}})
	}
	return bert.FromEncoder(e, bert.Spec{Categories: categories, Pooling: bert.Pooler, HeadHidden: 128, MaxLength: min(128, z.Positions), Text: []string{"title"}}, 7)
}

// inFolder calls f with the model of a size, made in a folder that is gone afterwards.
func (z size) inFolder(f func(m *bert.Model, dir string) error) error {
	dir, err := os.MkdirTemp("", "sprint-gpu-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := z.write(dir); err != nil {
		return err
	}
	m, err := z.model(dir)
	if err != nil {
		return err
	}
	return f(m, dir)
}
