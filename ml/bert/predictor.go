package bert

import (
	"context"
	"math"
	"slices"
	"sync"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/forward"
	"github.com/sprint-ml/sprint/ml/metrics"
)

// Prediction is the answer for one text: a score in [-1,1] and the index of a
// tag per category. The score of a single model is 2p-1 of the probability p that the
// category is the text's one.
type Prediction struct {
	Scores []float32
	Tags   []int32
	// None is the probability that the text is of no category; 0 of a model that does
	// not know such texts.
	None float32
	// Logistic says that each score is 2p-1 of the probability p of its category.
	Logistic bool
	// Where rules may weigh in, Named says which categories they name, and Model is what
	// the model answers without them; else both are nil.
	Named []bool
	Model *Prediction
}

// Text is an encoded text.
type Text = forward.Text

// Predictor answers for a model on a device. It is safe for concurrent use; on a device that
// computes by programs, batches run one after the other.
type Predictor struct {
	// Answered, if not nil, is told after each batch how many texts it had. Set it before
	// the first Predict; it must not call back.
	Answered func(texts int)

	model  *Model
	direct *direct // nil where the device computes
	mu     sync.Mutex
	heads  *directHeads
	net    *network
}

// NewPredictor puts a model on a device.
func NewPredictor(m *Model, dev *device.Device) (*Predictor, error) {
	if runsDirectly(m.Spec.Encoder, dev) {
		return &Predictor{model: m, direct: newDirect(m), heads: newDirectHeads(m)}, nil
	}
	return newPredictor(m, dev)
}

// newPredictor is NewPredictor by programs of the device.
func newPredictor(m *Model, dev *device.Device) (*Predictor, error) {
	n := &network{model: m, dev: dev, name: "predict", task: "predict", params: m.Params}
	n.outputs = func(p Params, ids, types, mask *Node) []*Node {
		scores, logits := m.Spec.Forward(p, ids, types, mask, nil)
		return []*Node{scores, ArgMax(logits, -1, dtypes.Int32)}
	}
	n.flat = func(p Params, in Flat) []*Node {
		scores, logits := m.Spec.Heads(p, m.Spec.PoolFlat(p, in, nil), nil)
		return []*Node{scores, ArgMax(logits, -1, dtypes.Int32)}
	}
	if err := n.load("the model"); err != nil {
		return nil, err
	}
	return &Predictor{model: m, net: n}, nil
}

// Close frees the device's memory.
func (p *Predictor) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.net != nil {
		p.net.close()
	}
}

// Model is the model that the predictor answers for.
func (p *Predictor) Model() *Model { return p.model }

// Predict answers for texts, in their order. Many go through the network without padding
// between them; few are sorted by length, so a long one does not pad all others.
func (p *Predictor) Predict(ctx context.Context, texts []Text) ([]Prediction, error) {
	out := make([]Prediction, len(texts))
	if p.direct != nil {
		return out, p.direct.each(ctx, texts, p.model.Spec.MaxLength, func(from int, pooled []float32) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.heads.answer(pooled, func(row int, scores []float32, tags []int32) {
				out[from+row] = p.model.Spec.prediction(scores, tags)
			})
			if p.Answered != nil {
				p.Answered(len(pooled) / p.model.Spec.Encoder.HiddenSize)
			}
			return nil
		})
	}
	k, n := len(p.model.Spec.Categories), p.model.Spec.Outputs()
	read := func(at []int) func(result []*tensors.Tensor) {
		return func(result []*tensors.Tensor) {
			scores, tags := tensors.MustCopyFlatData[float32](result[0]), tensors.MustCopyFlatData[int32](result[1])
			for r, i := range at {
				out[i] = p.model.Spec.prediction(scores[r*n:(r+1)*n], tags[r*k:(r+1)*k])
			}
			if p.Answered != nil {
				p.Answered(len(at))
			}
		}
	}
	tokens := 0
	for _, t := range texts {
		tokens += len(t.IDs)
	}
	if tokens >= flatTokens {
		return out, eachFlat(ctx, texts, p.model.Spec.MaxLength, func(at []int, s flatShape) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.net.runFlat(texts, at, s, read(at))
		})
	}
	return out, eachBatch(ctx, texts, p.model.Spec.MaxLength, func(at []int, rows, length int) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.net.run(texts, at, rows, length, read(at))
	})
}

// prediction makes an answer of copies of what the network gives for a text, rescaled by the
// model's temperatures.
func (s Spec) prediction(scores []float32, tags []int32) Prediction {
	if s.Single {
		out := s.Choose(scores)
		out.Tags = slices.Clone(tags)
		return out
	}
	out := slices.Clone(scores)
	for c, t := range s.Temperatures {
		out[c] = float32(metrics.Temper(float64(out[c]), t))
	}
	return Prediction{Scores: out, Tags: slices.Clone(tags), Logistic: s.Logistic()}
}

// Choose makes an answer, its tags aside, of the log probabilities that the network of a
// single model gives for a text.
func (s Spec) Choose(logs []float32) Prediction {
	p := metrics.Softmax(logs, s.Temperature)
	out := Prediction{Scores: make([]float32, len(s.Categories))}
	for c := range out.Scores {
		out.Scores[c] = float32(2*p[c] - 1)
	}
	if s.None {
		out.None = float32(p[len(p)-1])
	}
	return out
}

// Logs are log probabilities that Choose makes the same answer of, at a temperature
// of 1.
func (s Spec) Logs(p Prediction) []float32 {
	const least = 1e-7 // what float32 tells from 0 in a score
	out := make([]float32, 0, s.Outputs())
	for _, x := range p.Scores {
		out = append(out, float32(math.Log(max(probability(x), least))))
	}
	if s.None {
		out = append(out, float32(math.Log(max(float64(p.None), least))))
	}
	return out
}

// probability is the one that a score of a single model stands for.
func probability(score float32) float64 { return (float64(score) + 1) / 2 }

// Top is the most probable category of a single model's answer, with its probability:
// the first of the order among equals, and -1 if none is more probable than any.
func (p Prediction) Top() (category int, sure float64) {
	best, sure := -1, float64(p.None)
	for c, x := range p.Scores {
		if y := probability(x); best < 0 && y >= sure || y > sure {
			best, sure = c, y
		}
	}
	return best, sure
}
