package bert

import (
	"context"
	"slices"
	"sync"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/metrics"
)

// Prediction is the answer for one text: a score in [-1,1] and the index of a
// tag per category.
type Prediction struct {
	Scores []float32
	Tags   []int32
}

// Text is an encoded text.
type Text struct{ IDs, Types []int32 }

// Predictor answers for a model on a device. It is safe for concurrent use; calls run one
// after the other.
type Predictor struct {
	mu  sync.Mutex
	net *network
}

// NewPredictor puts a model on a device.
func NewPredictor(m *Model, dev *device.Device) (*Predictor, error) {
	n := &network{model: m, dev: dev, name: "predict", task: "predict", params: m.Params}
	n.outputs = func(p Params, ids, types, mask *Node) []*Node {
		scores, logits := m.Spec.Forward(p, ids, types, mask, nil)
		return []*Node{scores, ArgMax(logits, -1, dtypes.Int32)}
	}
	if err := n.load("the model"); err != nil {
		return nil, err
	}
	return &Predictor{net: n}, nil
}

// Close frees the device's memory.
func (p *Predictor) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.net.close()
}

// Model is the model that the predictor answers for.
func (p *Predictor) Model() *Model { return p.net.model }

// Predict answers for texts, in their order. It sorts them by length, so a
// long one does not pad all others.
func (p *Predictor) Predict(ctx context.Context, texts []Text) ([]Prediction, error) {
	out := make([]Prediction, len(texts))
	k := len(p.net.model.Spec.Categories)
	return out, eachBatch(ctx, texts, p.net.model.Spec.MaxLength, func(at []int, rows, length int) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.net.run(texts, at, rows, length, func(result []*tensors.Tensor) {
			scores, tags := tensors.MustCopyFlatData[float32](result[0]), tensors.MustCopyFlatData[int32](result[1])
			for r, i := range at {
				out[i] = Prediction{Scores: p.temper(scores[r*k : (r+1)*k]), Tags: slices.Clone(tags[r*k : (r+1)*k])}
			}
		})
	})
}

// temper is a copy of a text's scores, rescaled by the model's temperatures.
func (p *Predictor) temper(scores []float32) []float32 {
	out := slices.Clone(scores)
	for c, t := range p.net.model.Spec.Temperatures {
		out[c] = float32(metrics.Temper(float64(out[c]), t))
	}
	return out
}
