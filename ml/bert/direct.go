package bert

import (
	"context"
	"math"

	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/forward"
	"github.com/sprint-ml/sprint/ml/kernel"
)

// runsDirectly reports whether texts go through package forward in place of a program of the
// device's: where both compute on the same cores, that is faster, compiles nothing, and gives
// each text the same bytes on all processors.
func runsDirectly(c encoder.Config, dev *device.Device) bool {
	return dev.Name != device.CUDA && forward.Fits(c)
}

// direct is a model's encoder and pooling on the cores of this machine.
type direct struct {
	encoder *forward.Encoder
	pool    *kernel.Weights // of pooling pooler; nil of others
	hidden  int
}

func newDirect(m *Model) *direct {
	param := paramsByName(m)
	d := &direct{encoder: forward.New(m.Spec.Encoder, m.Spec.Pooling != Mean, param), hidden: m.Spec.Encoder.HiddenSize}
	if m.Spec.Pooling == Pooler {
		d.pool = kernel.Pack(param("pool.w"), param("pool.b"), d.hidden, d.hidden)
	}
	return d
}

// paramsByName gives the parameters of a model; nil for one that it has not.
func paramsByName(m *Model) forward.Param {
	by := map[string][]float32{}
	for _, p := range m.Params {
		by[p.Name] = p.Data
	}
	return func(name string) []float32 { return by[name] }
}

// each is forward.Encoder.Each with pooled vectors.
func (d *direct) each(ctx context.Context, texts []Text, longest int, visit func(from int, vectors []float32) error) error {
	return d.encoder.Each(ctx, texts, longest, func(from int, vectors []float32) error {
		if d.pool != nil {
			vectors = affineRows(d.pool, vectors)
			for i, x := range vectors {
				vectors[i] = float32(math.Tanh(float64(x)))
			}
		}
		return visit(from, vectors)
	})
}

// affineRows is x·W+b for the rows of x: [n,In] -> [n,Out].
func affineRows(w *kernel.Weights, x []float32) []float32 {
	n := len(x) / w.In
	rows := (n + kernel.Rows - 1) / kernel.Rows * kernel.Rows
	in, out := make([]float32, rows*w.In), make([]float32, rows*w.Out)
	copy(in, x)
	w.Multiply(out, in, rows, w.In, w.Out, 0, w.Panels(), false)
	return out[:n*w.Out]
}

// directHeads are a model's heads there.
type directHeads struct {
	spec           Spec
	param          forward.Param
	in, none       *kernel.Weights // hidden layers; none of a model that knows none
	linear, tags   *kernel.Weights // of linear heads
	scores, logits []float32       // of one row: [Outputs()], [maxTags]
}

func newDirectHeads(m *Model) *directHeads {
	s, param := m.Spec, paramsByName(m)
	h := &directHeads{spec: s, param: param, scores: make([]float32, s.Outputs()), logits: make([]float32, s.maxTags())}
	if hidden := s.Encoder.HiddenSize; s.Linear {
		h.linear = kernel.Pack(param(linearW), param(linearB), hidden, s.Outputs())
		h.tags = kernel.Pack(param(linearTagW), param(linearTagB), hidden, len(s.Categories)*s.maxTags())
	} else {
		h.in = kernel.Pack(param("head.in.w"), param("head.in.b"), hidden, len(s.Categories)*2*s.HeadHidden)
		if s.None {
			h.none = kernel.Pack(param("head.none.in.w"), param("head.none.in.b"), hidden, s.HeadHidden)
		}
	}
	return h
}

// answer calls visit with what Heads gives for each pooled vector, [n,H]: its scores and the
// index of each category's most likely tag. Both are gone when visit returns.
func (h *directHeads) answer(pooled []float32, visit func(row int, scores []float32, tags []int32)) {
	s := h.spec
	k, mt, hidden := len(s.Categories), s.maxTags(), s.Encoder.HiddenSize
	tags := make([]int32, k)
	if s.Linear {
		x := h.centred(pooled)
		scores, logits := affineRows(h.linear, x), affineRows(h.tags, x)
		for r := range len(pooled) / hidden {
			copy(h.scores, scores[r*h.linear.Out:])
			if s.Single {
				logSoftmax(h.scores)
			} else {
				for i, y := range h.scores {
					h.scores[i] = float32(math.Tanh(float64(y) / 2))
				}
			}
			for c := range k {
				tags[c] = largest(logits[r*h.tags.Out+c*mt:][:len(s.Categories[c].Tags)])
			}
			visit(r, h.scores, tags)
		}
		return
	}
	in := relu(affineRows(h.in, pooled))
	var none []float32
	if s.None {
		none = relu(affineRows(h.none, pooled))
	}
	for r := range len(pooled) / hidden {
		for c := range k {
			h.scores[c] = dot(in[r*h.in.Out+2*c*s.HeadHidden:], h.param(headScoreW)[c*s.HeadHidden:][:s.HeadHidden]) + h.param("head.score.b")[c]
			tags[c] = h.tag(c, in[r*h.in.Out+(2*c+1)*s.HeadHidden:][:s.HeadHidden])
		}
		if s.None {
			h.scores[k] = dot(none[r*h.none.Out:], h.param(headNoneW)) + h.param("head.none.b")[0]
		}
		if s.Single {
			logSoftmax(h.scores)
		} else {
			for i, y := range h.scores {
				h.scores[i] = float32(math.Tanh(float64(y)))
			}
		}
		visit(r, h.scores, tags)
	}
}

// tag is the most likely tag of a category, from its part of the hidden layer.
func (h *directHeads) tag(category int, in []float32) int32 {
	mt := h.spec.maxTags()
	copy(h.logits, h.param("head.tag.b")[category*mt:])
	w := h.param(headTagW)[category*h.spec.HeadHidden*mt:]
	for i, x := range in {
		for t := range h.logits {
			h.logits[t] += x * w[i*mt+t]
		}
	}
	return largest(h.logits[:len(h.spec.Categories[category].Tags)])
}

// centred are vectors as linear heads see them: of length 1, less the mean, times the scale.
func (h *directHeads) centred(pooled []float32) []float32 {
	mean, scale := h.param(linearMean), h.param(linearScale)[0]
	out := make([]float32, len(pooled))
	for from := 0; from < len(pooled); from += len(mean) {
		sum := 0.0
		for _, x := range pooled[from : from+len(mean)] {
			sum += float64(x) * float64(x)
		}
		length := float32(math.Sqrt(max(sum, leastLength*leastLength)))
		for j, c := range mean {
			out[from+j] = (pooled[from+j]/length - c) * scale
		}
	}
	return out
}

// dot is the product of w with as many numbers of x.
func dot(x, w []float32) float32 {
	var sum float32
	for i, y := range w {
		sum += x[i] * y
	}
	return sum
}

func relu(x []float32) []float32 {
	for i, y := range x {
		x[i] = max(y, 0)
	}
	return x
}

// logSoftmax turns logits into log probabilities.
func logSoftmax(x []float32) {
	most, sum := math.Inf(-1), 0.0
	for _, y := range x {
		most = max(most, float64(y))
	}
	for _, y := range x {
		sum += math.Exp(float64(y) - most)
	}
	for i, y := range x {
		x[i] = float32(float64(y) - most - math.Log(sum))
	}
}

// largest is the index of the largest number, the first among equals.
func largest(x []float32) int32 {
	best := 0
	for i, y := range x {
		if y > x[best] {
			best = i
		}
	}
	return int32(best) //nolint:gosec // there are at most maxHead
}
