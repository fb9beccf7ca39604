package bert_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

// embedders and predictors are the two ways to compute.
var (
	embedders  = []func(*bert.Model, *device.Device) (*bert.Embedder, error){bert.NewEmbedder, bert.NewEmbedderByPrograms}
	predictors = []func(*bert.Model, *device.Device) (*bert.Predictor, error){bert.NewPredictor, bert.NewPredictorByPrograms}
)

// TestEmbed: batches of several shapes give the vectors that one program over
// all texts gives, in the texts' order, scaled to length 1.
func TestEmbed(t *testing.T) {
	enc, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	dev := goDevice(t)
	for _, pooling := range []string{bert.Mean, bert.CLS, bert.Pooler} {
		m, err := bert.FromEncoder(enc, bert.Spec{Categories: []bert.Category{{Name: "x", Tags: []string{""}}}, Pooling: pooling, HeadHidden: 1, MaxLength: 32, Text: []string{"title"}}, 1)
		if err != nil {
			t.Fatal(err)
		}
		var texts []bert.Text
		for _, title := range []string{"waa wab", "wac", "wad wae waf wag wah wai waj wak wal wam wan wao wap waq war was wat wau", "waa"} {
			ids, types := m.Encode(title, "")
			texts = append(texts, bert.Text{IDs: ids, Types: types})
		}
		want, err := bert.Pooled(m, dev, texts, false)
		if err != nil {
			t.Fatal(err)
		}
		for way, open := range embedders {
			e, err := open(m, dev)
			if err != nil {
				t.Fatal(err)
			}
			got, err := e.Embed(t.Context(), texts)
			e.Close()
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				norm := 0.0
				for _, x := range want[i] {
					norm += float64(x) * float64(x)
				}
				for j, x := range want[i] {
					if w := float64(x) / math.Sqrt(norm); math.Abs(w-float64(got[i][j])) > 1e-5 {
						t.Fatalf("%s, way %d: text %d, element %d: %g, want %g", pooling, way, i, j, got[i][j], w)
					}
				}
			}
		}
	}
}

// TestEmbedAlone: a text's vector is the same to the byte whatever it is embedded with:
// alone, among others of every length, and in another order.
func TestEmbedAlone(t *testing.T) {
	enc, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	ways := []struct {
		device string
		open   func(*bert.Model, *device.Device) (*bert.Embedder, error)
	}{{device.Go, bert.NewEmbedder}, {device.Go, bert.NewEmbedderByPrograms}}
	if device.HasXLA {
		ways = append(ways, ways[1])
		ways[2].device = device.CPU
	}
	for way, w := range ways {
		name := fmt.Sprintf("%s, way %d", w.device, way)
		dev, err := device.Open(t.Context(), w.device, device.Options{CacheDir: encodertest.Cache()})
		if err != nil {
			t.Fatal(err)
		}
		defer dev.Close()
		for _, pooling := range []string{bert.Mean, bert.Pooler} {
			m, err := bert.FromEncoder(enc, bert.Spec{Categories: []bert.Category{{Name: "x", Tags: []string{""}}}, Pooling: pooling, HeadHidden: 1, MaxLength: 32, Text: []string{"title"}}, 1)
			if err != nil {
				t.Fatal(err)
			}
			e, err := w.open(m, dev)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			rng := rand.New(rand.NewPCG(1, 2))
			texts := make([]bert.Text, 150)
			for i := range texts[1:] { // the first one stays empty
				n := 1 + i%32
				texts[i+1] = bert.Text{IDs: make([]int32, n), Types: make([]int32, n)}
				for j := range n {
					texts[i+1].IDs[j] = rng.Int32N(64)
				}
			}
			all, err := e.Embed(t.Context(), texts)
			if err != nil {
				t.Fatal(err)
			}
			order := rng.Perm(len(texts))
			var some []bert.Text
			for _, i := range order[:60] {
				some = append(some, texts[i])
			}
			few, err := e.Embed(t.Context(), some)
			if err != nil {
				t.Fatal(err)
			}
			for k, i := range order[:60] {
				alone := few[k]
				if k < 5 || i == 0 {
					one, err := e.Embed(t.Context(), texts[i:i+1])
					if err != nil {
						t.Fatal(err)
					}
					alone = one[0]
				}
				if !slices.Equal(all[i], few[k]) || !slices.Equal(all[i], alone) {
					t.Fatalf("%s, %s: text %d of %d tokens has another vector beside others", name, pooling, i, len(texts[i].IDs))
				}
			}
		}
	}
}

// TestPredictMany: many texts, which go through the network without padding, get the
// answers that they get a few at a time.
func TestPredictMany(t *testing.T) {
	enc, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	dev := goDevice(t)
	rng := rand.New(rand.NewPCG(3, 4))
	var texts []bert.Text
	for i := range 80 {
		ids := make([]int32, 1+i%32)
		for j := range ids {
			ids[j] = rng.Int32N(64)
		}
		texts = append(texts, bert.Text{IDs: ids, Types: make([]int32, len(ids))})
	}
	for _, pooling := range []string{bert.Mean, bert.CLS, bert.Pooler} {
		for _, single := range []bool{true, false} {
			m, err := bert.FromEncoder(enc, bert.Spec{Categories: []bert.Category{{Name: "x", Tags: []string{"", "a", "b"}}, {Name: "y", Tags: []string{"", "c"}}}, Pooling: pooling, HeadHidden: 8, MaxLength: 32, Text: []string{"title"}, Single: single, None: single}, 1)
			if err != nil {
				t.Fatal(err)
			}
			var before []bert.Prediction
			for way, open := range predictors {
				p, err := open(m, dev)
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				answered := 0
				p.Answered = func(n int) { answered += n }
				many, err := p.Predict(t.Context(), texts)
				if err != nil || answered != len(texts) {
					t.Fatalf("%d answers, %v", answered, err)
				}
				same := func(i int, a, b bert.Prediction) {
					for c, x := range a.Scores {
						if math.Abs(float64(x-b.Scores[c])) > 1e-5 || math.Abs(float64(a.None-b.None)) > 1e-5 || a.Tags[c] != b.Tags[c] {
							t.Errorf("%s, single %v, way %d, text %d: %+v and %+v", pooling, single, way, i, a, b)
						}
					}
				}
				for i := 0; i < len(texts); i += 7 {
					few, err := p.Predict(t.Context(), texts[i:i+1])
					if err != nil {
						t.Fatal(err)
					}
					same(i, few[0], many[i])
				}
				for i, x := range before { // both ways answer alike
					same(i, x, many[i])
				}
				before = many
			}
		}
	}
}
