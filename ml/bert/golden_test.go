package bert_test

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
)

// golden are vectors that transformers makes of texts.
type golden struct {
	Model string
	Texts []struct {
		Text              string
		IDs               []int32
		Mean, CLS, Pooler []float64
	}
}

// readGolden reads testdata/NAME.json; testdata/NAME.py writes it anew of the encoder in dir.
func readGolden(t *testing.T, name, dir string) (g golden) {
	t.Helper()
	if *update {
		if out, err := exec.CommandContext(t.Context(), os.Getenv("BENCH_TORCH"), "testdata/"+name+".py", dir).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	data, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// compare holds that vectors are those of transformers but for limit in each element, of texts
// alone and without padding between them, after the model was saved and loaded.
func (g golden) compare(t *testing.T, dev *device.Device, enc *encoder.Encoder, pooling string, maxLength int, limit float64) {
	t.Helper()
	m, err := bert.FromEncoder(enc, bert.Spec{Categories: []bert.Category{{Name: "x", Tags: []string{""}}}, Pooling: pooling, HeadHidden: 1, MaxLength: maxLength, Text: []string{"title", "description"}}, 1)
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
	for _, x := range g.Texts {
		ids, types := m.Encode(x.Text, "")
		if !slices.Equal(ids, x.IDs) {
			t.Fatalf("%q: %v, want %v", x.Text, ids, x.IDs)
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
	alone, err := bert.Pooled(m, dev, texts, false)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range g.Texts {
		want, norm := map[string][]float64{bert.Mean: x.Mean, bert.CLS: x.CLS, bert.Pooler: x.Pooler}[pooling], 0.
		if len(want) != len(alone[i]) {
			t.Fatalf("%s, text %d has %d elements, want %d", pooling, i, len(alone[i]), len(want))
		}
		for _, v := range want {
			norm += v * v
		}
		for j, v := range want {
			if math.Abs(v-float64(alone[i][j])) > limit || math.Abs(v/math.Sqrt(norm)-float64(flat[i][j])) > limit {
				t.Fatalf("%s, text %d of %d tokens, element %d: %g and %g, want %g", pooling, i, len(x.IDs), j, alone[i][j], flat[i][j], v)
			}
		}
	}
}

// goDevice is the device of pure Go, for the rest of the test.
func goDevice(t *testing.T) *device.Device {
	t.Helper()
	d, err := device.Open(t.Context(), device.Go, device.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}
