package bert_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

// linearModel is a tiny encoder with random linear heads, and these.
func linearModel(t *testing.T, single bool) (*bert.Model, *bert.Linear) {
	t.Helper()
	e, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	s := bert.Spec{
		Categories: []bert.Category{{Name: "a", Tags: []string{"", "x"}}, {Name: "b", Tags: []string{""}}},
		Pooling:    bert.Mean, MaxLength: 16, Text: []string{"title"}, Linear: true, Single: single, None: single, RulesBonus: 2,
	}
	if single {
		s.Temperature = 0.7
	}
	m, err := bert.FromEncoder(e, s, 1)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(5, 6))
	random := func(n int) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = float32(rng.NormFloat64())
		}
		return out
	}
	h := e.Config.HiddenSize
	l := &bert.Linear{Mean: random(h), Scale: 1.7, Tag: [][][]float32{{random(h + 1), random(h + 1)}, {random(h + 1)}}}
	for range m.Spec.Outputs() {
		l.Score = append(l.Score, random(h+1))
	}
	if err := m.SetLinear(l); err != nil {
		t.Fatal(err)
	}
	return m, l
}

// TestLinearHeads: what the network answers is what the heads make of the embedder's
// vectors, also after the model was saved and loaded.
func TestLinearHeads(t *testing.T) {
	d := goDevice(t)
	for n := range 4 {
		single, open := n%2 == 0, predictors[n/2]
		m, l := linearModel(t, single)
		dir := t.TempDir()
		if err := m.Save(dir); err != nil {
			t.Fatal(err)
		}
		loaded, err := bert.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if s := loaded.Spec; !s.Linear || s.HeadHidden != 0 || s.RulesBonus != 2 {
			t.Errorf("loaded as %+v", s)
		}
		texts := []bert.Text{{IDs: []int32{2, 10, 11, 3}}, {IDs: []int32{2, 20, 3}}}
		e, err := bert.NewEmbedder(m, d)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		vectors, err := e.Embed(t.Context(), texts)
		if err != nil {
			t.Fatal(err)
		}
		p, err := open(loaded, d)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		got, err := p.Predict(t.Context(), texts)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range vectors {
			logit := func(weights []float32) float64 {
				sum := float64(weights[len(v)])
				for j, x := range v {
					sum += float64(weights[j]) * float64(l.Scale) * (float64(x) - float64(l.Mean[j]))
				}
				return sum
			}
			var want []float64
			for _, w := range l.Score {
				want = append(want, logit(w))
			}
			if single {
				sum := 0.0
				for k, x := range want {
					want[k] = math.Exp(x / 0.7)
					sum += want[k]
				}
				for k := range want {
					want[k] = 2*want[k]/sum - 1
				}
			} else {
				for k, x := range want {
					want[k] = 2/(1+math.Exp(-x)) - 1
				}
			}
			for k, x := range got[i].Scores {
				if math.Abs(float64(x)-want[k]) > 1e-5 {
					t.Errorf("single %v, text %d: score %v of category %d, want %v", single, i, x, k, want[k])
				}
			}
			tag := int32(0)
			if logit(l.Tag[0][1]) > logit(l.Tag[0][0]) {
				tag = 1
			}
			if !slices.Equal(got[i].Tags, []int32{tag, 0}) {
				t.Errorf("single %v, text %d: tags %v, want %d and 0", single, i, got[i].Tags, tag)
			}
		}
	}
}

// TestLinearFormat: what an older sprint would misread says so, and a newer one is refused.
func TestLinearFormat(t *testing.T) {
	m, l := linearModel(t, false)
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	section := config["sprint"].(map[string]any)
	if section["format"] != 4.0 || section["head"] != "linear" {
		t.Errorf("config.json says %v", section)
	}
	for key, value := range map[string]any{"format": 5, "head": "round"} {
		old := section[key]
		section[key] = value
		data, err := json.Marshal(config)
		if err == nil {
			err = os.WriteFile(path, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bert.Load(dir); err == nil || !strings.Contains(err.Error(), "this sprint") {
			t.Errorf("%s %v: %v", key, value, err)
		}
		section[key] = old
	}
	l.Score = l.Score[:1]
	if m.SetLinear(l) == nil {
		t.Error("heads of one output are taken for two")
	}
}

// TestVectorHeads: from vectors that were made before, alone or among others, heads answer
// to the byte as a predictor does for the texts; other heads than linear ones do not answer.
func TestVectorHeads(t *testing.T) {
	d := goDevice(t)
	for _, single := range []bool{true, false} {
		m, _ := linearModel(t, single)
		var texts []bert.Text
		for i := range 300 {
			text := bert.Text{IDs: []int32{2}}
			for j := range i % 13 {
				text.IDs = append(text.IDs, int32(5+(i*7+j*3)%40))
			}
			texts = append(texts, bert.Text{IDs: append(text.IDs, 3)})
		}
		p, err := bert.NewPredictor(m, d)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		want, err := p.Predict(t.Context(), texts)
		if err != nil {
			t.Fatal(err)
		}
		e, err := p.Embedder(d)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		vectors, err := e.Embed(t.Context(), texts)
		if err != nil {
			t.Fatal(err)
		}
		kept := slices.Clone(vectors[17])
		heads := bert.NewVectorHeads(m)
		got := append(heads.Predict(vectors[:3]), heads.Predict(vectors[3:])...)
		for i := range texts {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Fatalf("single %v, text %d: %+v by its vector, %+v by the encoder", single, i, got[i], want[i])
			}
		}
		if !slices.Equal(kept, vectors[17]) {
			t.Error("the vectors are not as they were")
		}
		m.Spec.Linear = false
		if bert.NewVectorHeads(m) != nil {
			t.Error("heads that look at the length of a vector answer without it")
		}
	}
}
