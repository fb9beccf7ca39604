package bert

import (
	"context"
	"slices"

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
			vectors = d.pool.Apply(vectors)
			kernel.Tanh(vectors, 1)
		}
		return visit(from, vectors)
	})
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
// index of each category's most likely tag. Both are gone when visit returns, and so are the
// vectors where heads are linear.
func (h *directHeads) answer(pooled []float32, visit func(row int, scores []float32, tags []int32)) {
	s := h.spec
	k, hidden := len(s.Categories), s.Encoder.HiddenSize
	tags := make([]int32, k)
	if s.Linear {
		for v := range slices.Chunk(pooled, hidden) {
			scaleToUnit(v)
		}
		h.answerUnit(pooled, visit)
		return
	}
	in := h.in.Apply(pooled)
	kernel.ReLU(in)
	var none []float32
	if s.None {
		none = h.none.Apply(pooled)
		kernel.ReLU(none)
	}
	for r := range len(pooled) / hidden {
		for c := range k {
			h.scores[c] = kernel.Dot(in[r*h.in.Out+2*c*s.HeadHidden:], h.param(headScoreW)[c*s.HeadHidden:][:s.HeadHidden]) + h.param("head.score.b")[c]
			tags[c] = h.tag(c, in[r*h.in.Out+(2*c+1)*s.HeadHidden:][:s.HeadHidden])
		}
		if s.None {
			h.scores[k] = kernel.Dot(none[r*h.none.Out:], h.param(headNoneW)) + h.param("head.none.b")[0]
		}
		if s.Single {
			kernel.LogSoftmax(h.scores)
		} else {
			kernel.Tanh(h.scores, 1)
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
	return kernel.Largest(h.logits[:len(h.spec.Categories[category].Tags)])
}

// answerUnit is answer of linear heads for vectors of length 1, which are gone then.
func (h *directHeads) answerUnit(x []float32, visit func(row int, scores []float32, tags []int32)) {
	s := h.spec
	mt, mean, scale, tags := s.maxTags(), h.param(linearMean), h.param(linearScale)[0], make([]int32, len(s.Categories))
	for v := range slices.Chunk(x, len(mean)) {
		for j, c := range mean {
			v[j] = (v[j] - c) * scale
		}
	}
	scores, logits := h.linear.Apply(x), h.tags.Apply(x)
	for r := range len(x) / len(mean) {
		copy(h.scores, scores[r*h.linear.Out:])
		if s.Single {
			kernel.LogSoftmax(h.scores)
		} else {
			kernel.Tanh(h.scores, 0.5)
		}
		for c := range tags {
			tags[c] = kernel.Largest(logits[r*h.tags.Out+c*mt:][:len(s.Categories[c].Tags)])
		}
		visit(r, h.scores, tags)
	}
}
