package train

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/sprint-ml/sprint/ml/bert"
)

// learningRate is the learning rate of a step counted from 0: linear warm-up, then
// linear or cosine decay to 0.
func (o Options) learningRate(step, total int) float64 {
	warm := int(math.Ceil(o.Warmup * float64(total)))
	if step < warm {
		return o.LearningRate * float64(step+1) / float64(warm)
	}
	left := float64(total-step) / float64(max(total-warm, 1))
	if o.Schedule == "cosine" {
		return o.LearningRate * 0.5 * (1 + math.Cos(math.Pi*(1-left)))
	}
	return o.LearningRate * left
}

// Limit shortens the fit to steps, and its schedule with it. It must not be
// called once steps are done: they had the rates of a longer fit.
func (t *Trainer) Limit(steps int) {
	if t.step == 0 {
		t.total = min(max(steps, 1), t.total)
	}
}

// AdamW's constants as in PyTorch; GoMLX's own epsilon of 1e-7 drifts.
const (
	beta1   = 0.9
	beta2   = 0.999
	epsilon = 1e-8
)

// adamW is torch.optim.AdamW, single tensor, with decoupled decay, after
// torch.nn.utils.clip_grad_norm_.
func (t *Trainer) adamW(w, m, v, grads []*Node, hyper *Node) []*Node {
	g, n := hyper.Graph(), len(w)
	if t.o.Clip > 0 {
		squares := ScalarZero(g, dtypes.Float32)
		for _, x := range grads {
			squares = Add(squares, ReduceAllSum(Square(x)))
		}
		scale := MinScalar(Div(ConstAsDType(g, dtypes.Float32, t.o.Clip), AddScalar(Sqrt(squares), 1e-6)), 1)
		for i := range grads {
			grads[i] = Mul(grads[i], scale)
		}
	}
	rate, bias1, bias2 := scalar(hyper, hyperRate), scalar(hyper, hyperBias1), scalar(hyper, hyperBias2)
	out := make([]*Node, 3*n)
	for i, p := range t.trainable {
		x, rate := w[i], MulScalar(rate, t.learningRateScale(p))
		if p.Decay && t.o.WeightDecay > 0 {
			x = Mul(x, OneMinus(MulScalar(rate, t.o.WeightDecay)))
		}
		m := Add(m[i], MulScalar(Sub(grads[i], m[i]), 1-beta1))
		v := Add(MulScalar(v[i], beta2), MulScalar(Square(grads[i]), 1-beta2))
		out[i] = Sub(x, Mul(Mul(rate, bias1), Div(m, AddScalar(Mul(Sqrt(v), bias2), epsilon))))
		out[n+i], out[2*n+i] = m, v
	}
	return out
}

// learningRateScale is a parameter's share of the learning rate.
func (t *Trainer) learningRateScale(p bert.Param) float64 {
	top := t.model.Spec.Encoder.NumHiddenLayers
	if p.Layer >= top {
		return t.o.HeadScale
	}
	return math.Pow(t.o.LayerDecay, float64(top-1-p.Layer))
}

// decayed is what weight decay alone made of a value after steps steps.
func (t *Trainer) decayed(p bert.Param, steps int) float64 {
	x := 1.0
	if !p.Decay {
		return x
	}
	for s := range steps {
		x *= 1 - t.o.learningRate(s, t.total)*t.learningRateScale(p)*t.o.WeightDecay
	}
	return x
}
