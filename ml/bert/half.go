package bert

import (
	"fmt"
	"math"
	"slices"

	"github.com/sprint-ml/sprint/ml/encoder"
)

// Halve rounds all weights to what fp16 has, which is how Save keeps them from then on: half the
// bytes. Whatever is measured of the model after it holds for the file.
func (m *Model) Halve() error {
	for i := range m.Params {
		p := &m.Params[i]
		p.Data = slices.Clone(p.Data) // other models of the encoder may have it
		encoder.RoundHalf(p.Data)
		for at, x := range p.Data {
			if math.IsInf(float64(x), 0) {
				return fmt.Errorf("weight %d of %s is larger than 65504, the most that fp16 holds: keep fp32", at, p.Name)
			}
		}
	}
	m.half = true
	return nil
}

// kept are the tensors as the file holds them.
func (m *Model) kept() ([]encoder.Tensor, error) {
	tensors := m.Tensors()
	if !m.half {
		return tensors, nil
	}
	for i, t := range tensors {
		if t.DType != "F32" {
			continue
		}
		var err error
		if tensors[i], err = encoder.Halves(t); err != nil {
			return nil, fmt.Errorf("keep the model as fp16: %w", err)
		}
	}
	return tensors, nil
}
