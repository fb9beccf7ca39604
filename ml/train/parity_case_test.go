package train

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

// parityCase is one model and the way in which it is fitted.
type parityCase struct {
	name    string
	folder  func(testing.TB) string
	pooling string
	o       Options
	steps   int // of the comparison with a live PyTorch
}

// parityCases have no dropout, as PyTorch would drop other values. The first is
// fitted as a plan's defaults say, the second and the last with every option of the
// optimiser; the others are there for their activation.
func parityCases() []parityCase {
	swedish := func(act string) func(testing.TB) string {
		return func(t testing.TB) string { return encodertest.Swedish(t, act) }
	}
	every := Options{LearningRate: 1e-3, HeadScale: 3, LayerDecay: 0.8, Warmup: 0.2, Schedule: "cosine", WeightDecay: 0.1, Clip: 0.25, Smoothing: 0.1, ScoreWeight: 0.7, TagWeight: 0.4}
	plain := Options{LearningRate: 5e-5, HeadScale: 1, LayerDecay: 1, Warmup: 0.1, Schedule: "linear", WeightDecay: 0.01, Clip: 1, ScoreWeight: 0.5, TagWeight: 0.5}
	for _, o := range []*Options{&every, &plain} {
		o.Epochs, o.BatchSize, o.BatchTokens, o.MaxShapes, o.Seed = 100, 16, 1024, 2, 5
	}
	return []parityCase{
		{"minilm", encodertest.MiniLM, bert.Pooler, plain, 50},
		{"swedish", swedish("gelu"), bert.Mean, every, 50},
		{"relu", swedish("relu"), bert.CLS, plain, 8},
		{"gelu_new", swedish("gelu_new"), bert.Pooler, plain, 8},
		{"modernbert", func(t testing.TB) string { return encodertest.ModernBERT(t, "") }, bert.Mean, every, 50},
	}
}

var parityCategories = []bert.Category{
	{Name: "fire", Tags: []string{"", "forest", "house"}}, {Name: "police", Tags: []string{"", "theft", "fraud", "riot"}}, {Name: "sports", Tags: []string{"", "football"}},
}

// model is the case's, with heads of encodertest.Noise.
func (c parityCase) model(t testing.TB) *bert.Model {
	t.Helper()
	e, err := encoder.Load(c.folder(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bert.FromEncoder(e, bert.Spec{Categories: parityCategories, Pooling: c.pooling, HeadHidden: 32, MaxLength: 160, Text: []string{"title", "description"}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	all := m.Tensors()
	for i, x := range all {
		if strings.HasPrefix(x.Name, "heads.") {
			data := make([]float32, len(x.Data)/4)
			encodertest.Noise(x.Name, data)
			all[i] = encoder.Float32Tensor(x.Name, data, x.Shape...)
		}
	}
	f, err := os.Create(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := encoder.WriteSafetensors(f, all, nil); err != nil {
		t.Fatal(err)
	}
	if m, err = bert.Load(dir); err != nil {
		t.Fatal(err)
	}
	return m
}

// text is one that both sides encode.
type text struct {
	First  string  `json:"first"`
	Second string  `json:"second"`
	IDs    []int32 `json:"ids"`
	Types  []int32 `json:"types"`
}

const parityWords = `Brand i centrala Stockholm Polisen söker vittnen efter rånet på Göteborg E4 skogsbrand bostadshus räddningstjänsten larmades natten
olycka med lastbil Älvsbyn Örebro åtalas för grovt bedrägeri match mål segern finalen laget tränaren VM Fire brigade evacuates school in harbour
police arrest suspect after bank fraud stock market falls the final goal Feuer Hamburg Polizei Україна новини Москва Αθήνα 日本 한국 中文 café naïve
12 3.5 2026 % – "citat" ... I'm U.S. #tag @user https://example.org/a?b=1 🔥 ﬁ İstanbul straße`

// parityTexts are n texts of mixed languages and lengths: empty ones, words,
// headlines, pairs, and such as are cut.
func parityTexts(m *bert.Model, n int) []text {
	rng := rand.New(rand.NewPCG(41, 43))
	words := strings.Fields(parityWords)
	sentence := func(n int) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(words[rng.IntN(len(words))])
		}
		return b.String()
	}
	out := make([]text, n)
	for i := range out {
		x := &out[i]
		switch {
		case i%50 == 7:
			x.First = sentence(150)
		case i%20 == 3:
			x.First = sentence(rng.IntN(2))
		case i%5 == 1:
			x.First, x.Second = sentence(3+rng.IntN(8)), sentence(1+rng.IntN(20))
		default:
			x.First = sentence(2 + rng.IntN(12))
		}
		x.IDs, x.Types = m.Encode(x.First, x.Second)
	}
	return out
}

// parityExamples are the texts that are no longer than limit with targets by
// chance: scores below 0 and 1, tags, weights of 0 and above 1.
func parityExamples(texts []text, limit int) []example {
	rng := rand.New(rand.NewPCG(47, 53))
	var out []example
	for _, x := range texts {
		if len(x.IDs) > limit {
			continue
		}
		e := example{IDs: x.IDs, Types: x.Types}
		for _, c := range parityCategories {
			tag := rng.IntN(len(c.Tags))
			score := float32(0)
			if tag > 0 {
				score = []float32{0.5, 0.8, 1}[rng.IntN(3)]
			}
			e.Score, e.Tag = append(e.Score, score), append(e.Tag, int32(tag))
			e.Weight = append(e.Weight, []float32{1, 1, 1, 0, 2.5}[rng.IntN(5)])
		}
		out = append(out, e)
	}
	return out
}

// request is what parity.py reads.
type request struct {
	Texts    []text                `json:"texts"`
	Examples []example             `json:"examples"`
	Fits     map[string]fitRequest `json:"fits"`
}

type fitRequest struct {
	Options Options `json:"options"`
	Batches [][]int `json:"batches"` // examples by index
	Masked  bool    `json:"masked"`  // no target counts
}

type example struct {
	IDs    []int32   `json:"ids"`
	Types  []int32   `json:"types"`
	Score  []float32 `json:"score"`
	Tag    []int32   `json:"tag"`
	Weight []float32 `json:"weight"`
}

func examples(from []example, masked bool) []Example {
	out := make([]Example, len(from))
	for i, e := range from {
		out[i] = Example{IDs: e.IDs, Types: e.Types, Score: e.Score, Tag: e.Tag, Weight: e.Weight}
		if masked {
			out[i].Weight = make([]float32, len(e.Weight))
		}
	}
	return out
}
