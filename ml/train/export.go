package train

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
)

// Weights copies the trainable weights from the device.
func (t *Trainer) Weights() (weights [][]float32, err error) {
	err = device.Guard("copy the weights", func() error {
		for i := range t.trainable {
			weights = append(weights, tensors.MustCopyFlatData[float32](t.state[i]))
		}
		return nil
	})
	return weights, err
}

// Export returns the model with the given trainable weights, as Weights gave
// them after steps steps.
func (t *Trainer) Export(weights [][]float32, steps int) (*bert.Model, error) {
	if len(weights) != len(t.trainable) {
		return nil, fmt.Errorf("export: %d weights for %d parameters", len(weights), len(t.trainable))
	}
	by := map[string][]float32{}
	for i, p := range t.trainable {
		by[p.Name] = weights[i]
	}
	out := *t.model
	out.Params = slices.Clone(t.model.Params)
	for i, p := range out.Params {
		data, ok := by[p.Name]
		if !ok {
			continue
		}
		if p.Name == bert.WordEmbeddings {
			data = t.vocab.expand(p.Data, data, t.decayed(p, steps))
		}
		out.Params[i].Data = data
	}
	return &out, nil
}

// Trainable returns the parameters that are fitted, in the order of Weights.
func (t *Trainer) Trainable() []bert.Param { return t.trainable }
