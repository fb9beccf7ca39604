package verify

import (
	"context"
	"slices"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/embeddings"
)

// vectorNetwork answers from the vectors of texts, of which the store keeps what any stage
// has embedded by the same encoder. It owns its space.
type vectorNetwork struct {
	heads *bert.VectorHeads
	model *bert.Model
	space *embeddings.Space
	// answered is told how many texts have an answer.
	answered func(texts int)
}

// Model is the one of the heads.
func (n *vectorNetwork) Model() *bert.Model { return n.model }

// Close closes the space.
func (n *vectorNetwork) Close() { n.space.Close() }

// vectorsAtOnce bounds the vectors in memory: 200 MB of an encoder of 384 numbers.
const vectorsAtOnce = 1 << 17

// Predict answers for texts in their order.
func (n *vectorNetwork) Predict(ctx context.Context, texts []bert.Text) ([]classify.Prediction, error) {
	out := make([]classify.Prediction, 0, len(texts))
	for part := range slices.Chunk(texts, vectorsAtOnce) {
		vectors, err := n.space.Embed(ctx, part)
		if err != nil {
			return nil, err
		}
		out = append(out, n.heads.Predict(vectors)...)
		n.answered(len(part))
	}
	return out, nil
}

// answerByVectors lets a model with linear heads answer from vectors, until done is called.
// A tuned encoder is one of its own: its vectors are kept, and no other stage has them.
func (m *measurer) answerByVectors(env stages.Env, model classify.LoadedModel, dev *device.Device) (done func(), err error) {
	heads := bert.NewVectorHeads(model.Model())
	if heads == nil {
		return func() {}, nil
	}
	space, err := embeddings.OpenBeside(env, model.Predictor, dev)
	if err != nil {
		return nil, err
	}
	m.byVectors = model.With(&vectorNetwork{heads: heads, model: model.Model(), space: space, answered: m.answered})
	return func() {
		m.byVectors = nil
		space.Close()
	}, nil
}
