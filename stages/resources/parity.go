package resources

import (
	"math"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/stages"
)

// How far a device's vectors may lie from the CPU's, relative to the largest
// value: float32 on GPUs multiplies in TF32 (10 bits), bfloat16 has 8.
const (
	parityFloat32 = 0.01
	parityHalf    = 0.05
)

// CheckParity compares a device with the CPU (GoMLX's pure-Go backend) on a few
// texts, before hours are spent on it.
func CheckParity(m *bert.Model, dev, cpu *device.Device, half bool) error {
	titles := []string{"Fire in the harbour", "Två personer till sjukhus efter en olycka på E4", "Rain and 12 degrees on Sunday"}
	texts := bert.EncodeTexts(m, titles, func(title string) (string, string) { return title, "" })
	got, err := bert.Pooled(m, dev, texts, half)
	if err != nil {
		return err
	}
	want, err := bert.Pooled(m, cpu, texts, false)
	if err != nil {
		return err
	}
	limit := parityFloat32
	if half {
		limit = parityHalf
	}
	return compareVectors(dev.Name, got, want, limit)
}

// compareVectors compares vectors by their largest difference, relative to the largest
// value.
func compareVectors(name string, got, want [][]float32, limit float64) error {
	for i := range want {
		far, largest := 0.0, 0.0
		for j := range want[i] {
			d := math.Abs(float64(got[i][j] - want[i][j]))
			if math.IsNaN(d) {
				d = math.Inf(1)
			}
			far, largest = max(far, d), max(largest, math.Abs(float64(want[i][j])))
		}
		if far > limit*largest {
			return stages.Fail(stages.CodeEnvironment, "use another plugin, or --device cpu", "the device %s computes wrongly: a text's vector lies %.3g from the CPU's, %.3g is allowed", name, far, limit*largest)
		}
	}
	return nil
}
