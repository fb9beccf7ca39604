package bert_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

// full is a device without memory for programs: GoMLX panics with what it says.
type full struct {
	compute.Backend
	says error
}

func (f full) Builder(string) compute.Builder { panic(f.says) }

// TestOutOfMemoryIsRecognised: whoever predicts, embeds or pools learns that the
// device's memory did not suffice, and keeps the device's own words.
func TestOutOfMemoryIsRecognised(t *testing.T) {
	e, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bert.FromEncoder(e, bert.Spec{Categories: []bert.Category{{Name: "a", Tags: []string{"", "x"}}}, Pooling: bert.Mean, HeadHidden: 8, MaxLength: 16, Text: []string{"title"}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	backend, err := gobackend.New("")
	if err != nil {
		t.Fatal(err)
	}
	info := device.Info{Name: device.CUDA} // what computes by programs everywhere
	texts := []bert.Text{{IDs: []int32{2, 7, 3}, Types: make([]int32, 3)}}
	for name, do := range map[string]func(*device.Device) error{
		"predict": func(d *device.Device) error {
			p, err := bert.NewPredictor(m, d)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			_, err = p.Predict(t.Context(), texts)
			return err
		},
		"embed": func(d *device.Device) error {
			e, err := bert.NewEmbedder(m, d)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			_, err = e.Embed(t.Context(), texts)
			return err
		},
		"pool": func(d *device.Device) error {
			_, err := bert.Pooled(m, d, texts, false)
			return err
		},
	} {
		memory, other := errors.New("RESOURCE_EXHAUSTED: no 64 bytes"), errors.New("no such instruction")
		var short *device.OutOfMemoryError
		if err := do(&device.Device{Info: info, Backend: full{backend, memory}}); !errors.As(err, &short) || !errors.Is(err, memory) || !strings.Contains(err.Error(), "texts") {
			t.Errorf("%s: got %v", name, err)
		}
		if err := do(&device.Device{Info: info, Backend: full{backend, other}}); errors.As(err, &short) || !errors.Is(err, other) {
			t.Errorf("%s, another failure: got %v", name, err)
		}
	}
}

// TestOneEmbeddingTable: a model looks at the table of the encoder that it was made of, and
// changes it for nobody else.
func TestOneEmbeddingTable(t *testing.T) {
	e, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bert.FromEncoder(e, bert.Spec{Categories: []bert.Category{{Name: "a", Tags: []string{""}}}, Pooling: bert.Mean, HeadHidden: 8, MaxLength: 16, Text: []string{"title"}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	tensor, _ := e.Tensor("embeddings.word_embeddings.weight")
	table, err := tensor.Float32()
	if err != nil {
		t.Fatal(err)
	}
	if p := m.Params[0]; p.Name != bert.WordEmbeddings || &p.Data[0] != &table[0] {
		t.Errorf("%s is a copy", p.Name)
	}
	before := slices.Clone(table)
	if err := m.Halve(); err != nil || slices.Equal(m.Params[0].Data, before) || !slices.Equal(table, before) {
		t.Errorf("rounding a model changed its encoder, or nothing: %v", err)
	}
}
