// Package onnxtest makes models of every shape that an ONNX file can be made of, for the tests
// of the file and of what runs it.
package onnxtest

import (
	"math/rand/v2"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

// Models are small ones by name: both families of encoders, all poolings, heads, temperatures
// and activations.
func Models(t testing.TB) map[string]*bert.Model {
	t.Helper()
	tiny, swedish, roberta := load(t, encodertest.Tiny(t)), load(t, encodertest.Swedish(t, "gelu_new")), load(t, encodertest.XLMRoberta(t))
	several := bert.Spec{HeadHidden: 5, Pooling: bert.Mean}
	tempered := bert.Spec{HeadHidden: 5, Pooling: bert.CLS, Temperatures: []float64{1, 2.5, 0.3}}
	single := bert.Spec{HeadHidden: 4, Pooling: bert.Pooler, Single: true, None: true, Temperature: 1.7}
	linear := bert.Spec{Linear: true, Pooling: bert.Mean}
	choice := bert.Spec{Linear: true, Pooling: bert.Mean, Single: true, None: true, Temperature: 0.6}
	sure := bert.Spec{Linear: true, Pooling: bert.CLS, Single: true}
	return map[string]*bert.Model{
		"mean": model(t, tiny, several), "tempered": model(t, tiny, tempered), "single": model(t, swedish, single), "linear": model(t, tiny, linear),
		"roberta linear single": model(t, roberta, choice), "roberta": model(t, roberta, tempered), "without none": model(t, swedish, sure),
	}
}

func load(t testing.TB, dir string) *encoder.Encoder {
	t.Helper()
	e, err := encoder.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// model puts heads on an encoder whose numbers are large enough to tell texts apart.
func model(t testing.TB, e *encoder.Encoder, s bert.Spec) *bert.Model {
	t.Helper()
	s.MaxLength, s.Text = 24, []string{"title", "description"}
	s.Categories = []bert.Category{{Name: "a", Tags: []string{"", "x", "y"}}, {Name: "b", Tags: []string{""}}, {Name: "c", Tags: []string{"", "z"}}}
	m, err := bert.FromEncoder(e, s, 7)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(8, 9))
	random := func(n int) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = float32(rng.NormFloat64() * 0.3)
		}
		return out
	}
	if s.Linear {
		h := e.Config.HiddenSize
		l := &bert.Linear{Mean: random(h), Scale: 1.3}
		for range s.Categories {
			l.Score, l.Tag = append(l.Score, random(h+1)), append(l.Tag, nil)
		}
		for c, category := range s.Categories {
			for range category.Tags {
				l.Tag[c] = append(l.Tag[c], random(h+1))
			}
		}
		if s.None {
			l.Score = append(l.Score, random(h+1))
		}
		if err := m.SetLinear(l); err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, p := range m.Params {
		if p.Layer >= e.Config.NumHiddenLayers && p.Name != "pool.w" {
			copy(p.Data, random(len(p.Data)))
		}
	}
	return m
}

// Texts are encoded ones of many lengths, pairs among them, and longer ones than the
// model reads.
func Texts(m *bert.Model) []bert.Text {
	rng := rand.New(rand.NewPCG(1, 2))
	var out []bert.Text
	for n := range 60 {
		title, description := words(rng, n%17), ""
		if n%3 == 0 {
			description = words(rng, n%11)
		}
		var x bert.Text
		x.IDs, x.Types = m.Encode(title, description)
		out = append(out, x)
	}
	return out
}

func words(rng *rand.Rand, n int) string {
	out := ""
	for range n {
		out += []string{"waa", "wab", "wbf", "brand", "polisen", "storm", "i", "göteborg", "hela", "natten"}[rng.IntN(10)] + " "
	}
	return out
}
