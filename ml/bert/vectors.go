package bert

import "slices"

// VectorHeads are linear heads that answer from vectors which an Embedder of their model
// made, at any time. They are for one goroutine.
type VectorHeads struct{ heads *directHeads }

// NewVectorHeads returns the heads of a model; nil of heads that are not linear, since an
// Embedder's vectors lack the length that those look at.
func NewVectorHeads(m *Model) *VectorHeads {
	if !m.Spec.Linear {
		return nil
	}
	return &VectorHeads{newDirectHeads(m)}
}

// Predict answers for texts by their vectors, [hidden] of length 1, in their order. The
// answers are those of a Predictor for the texts: to the byte where both compute on the
// cores of this machine, else but for the rounding of float32. The vectors stay as they are.
func (h *VectorHeads) Predict(vectors [][]float32) []Prediction {
	const rows = 256 // that are copied at once
	out := make([]Prediction, 0, len(vectors))
	var flat []float32
	for part := range slices.Chunk(vectors, rows) {
		flat = flat[:0]
		for _, v := range part {
			flat = append(flat, v...)
		}
		h.heads.answerUnit(flat, func(_ int, scores []float32, tags []int32) {
			out = append(out, h.heads.spec.prediction(scores, tags))
		})
	}
	return out
}
