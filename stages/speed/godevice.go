package speed

import (
	"fmt"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/train"
)

// goOperationsPerSecond is what the pure-Go backend does in a training step, in floating
// point operations per second of two cores; measured, and only for a warning.
const goOperationsPerSecond = 3e9

// OfGo says how long the pure-Go device will take.
func OfGo(t *train.Trainer, m *bert.Model) string {
	weights := 0.0
	for _, p := range m.Params {
		if p.Layer >= 0 {
			weights += float64(p.Size())
		}
	}
	last := t.Shapes()[len(t.Shapes())-1]
	tokens := float64(t.Total()) * float64(t.AccumulationSteps()*last.Rows*last.Length)
	minutes := 6 * weights * tokens / goOperationsPerSecond / 60
	cure := "`sprint doctor --install` fetches the XLA plugin"
	if !device.HasXLA {
		cure = "a sprint built with cgo uses the XLA plugin"
	}
	return fmt.Sprintf("training on the pure-Go device with frozen embeddings, at most about %.0f minutes; %s, which takes a tenth of that", minutes+1, cure)
}
