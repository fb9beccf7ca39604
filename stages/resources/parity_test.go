package resources

import (
	"slices"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

// TestParity: a device that computes something else is refused.
func TestParity(t *testing.T) {
	cpu, err := device.Open(t.Context(), device.Go, device.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer cpu.Close()
	dev, err := device.Open(t.Context(), device.Auto, device.Options{CacheDir: encodertest.Cache(), HasGPU: func() bool { return false }})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	e, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bert.FromEncoder(e, bert.Spec{Categories: []bert.Category{{Name: "a", Tags: []string{""}}}, Pooling: bert.Mean, HeadHidden: 4, MaxLength: 24, Text: []string{"title"}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, half := range []bool{false, true} {
		if err := CheckParity(m, dev, cpu, half); err != nil {
			t.Errorf("half %v: %v", half, err)
		}
	}
	texts := []bert.Text{{IDs: []int32{2, 30, 3}, Types: []int32{0, 0, 0}}}
	want, err := bert.Pooled(m, cpu, texts, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := compareVectors(dev.Name, [][]float32{slices.Repeat([]float32{0}, len(want[0]))}, want, parityFloat32); err == nil {
		t.Error("zeros pass for the vectors")
	}
}
