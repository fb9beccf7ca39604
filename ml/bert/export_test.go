package bert

import "github.com/sprint-ml/sprint/ml/device"

// NewEmbedderByPrograms and NewPredictorByPrograms are what devices get whose programs
// compute, whatever this processor can.
func NewEmbedderByPrograms(m *Model, dev *device.Device) (*Embedder, error) {
	return newEmbedder(m, dev, "embed", nil)
}

func NewPredictorByPrograms(m *Model, dev *device.Device) (*Predictor, error) {
	return newPredictor(m, dev)
}
