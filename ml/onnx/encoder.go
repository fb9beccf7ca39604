package onnx

import (
	"fmt"
	"math"

	"github.com/sprint-ml/sprint/ml/bert"
)

// maskedBias is added to the attention to padding.
const maskedBias = -1e9

// encoder makes the embeddings and all layers: [batch,length,hidden], of which the last may
// have the first token of each text alone.
func (b *builder) encoder() value {
	c := b.spec.Encoder
	ids := b.input(IDs)
	mask := b.input(Mask)
	x := b.op("Gather", []value{b.param(bert.WordEmbeddings), ids})
	if c.TypeVocabSize > 1 {
		x = b.op("Add", []value{x, b.op("Gather", []value{b.param("emb.type"), b.input(Types)})})
	} else {
		x = b.op("Add", []value{x, b.param("emb.type")})
	}
	offset := int64(c.PositionOffset())
	length := b.op("Shape", []value{ids}, intAttribute("start", 1), intAttribute("end", 2))
	end := b.op("Add", []value{length, b.ints("offset", offset)})
	positions := b.op("Slice", []value{b.param("emb.pos"), b.ints("offset", offset), end, b.ints("axis0", 0)})
	x = b.norm("emb.ln", b.op("Add", []value{x, positions}))
	b.floatMask = b.op("Cast", []value{mask}, intAttribute("to", typeFloat))
	for l := range c.NumHiddenLayers {
		name := fmt.Sprintf("L%d.", l)
		a := b.attention(name, x)
		if l == c.NumHiddenLayers-1 && b.spec.Pooling != bert.Mean {
			a, x = b.firsts(a), b.firsts(x) // the poolings look at no other token
		}
		x = b.afterAttention(name, x, a)
	}
	return x
}

// firsts are the vectors of each text's first token: [batch,1,hidden].
func (b *builder) firsts(x value) value {
	return b.op("Slice", []value{x, b.ints("zero", 0), b.ints("one", 1), b.ints("axis1", 1)})
}

// pool makes one vector of each text: [batch,hidden].
func (b *builder) pool(x value) value {
	if b.spec.Pooling == bert.Mean {
		w := b.op("Unsqueeze", []value{b.floatMask, b.ints("axis2", 2)})
		sum := b.op("ReduceSum", []value{b.op("Mul", []value{x, w}), b.ints("axis1", 1)}, intAttribute("keepdims", 0))
		count := b.op("Max", []value{b.op("ReduceSum", []value{w, b.ints("axis1", 1)}, intAttribute("keepdims", 0)), b.scalar("1", 1)})
		return b.op("Div", []value{sum, count})
	}
	x = b.op("Squeeze", []value{x, b.ints("axis1", 1)})
	if b.spec.Pooling == bert.CLS {
		return x
	}
	return b.op("Tanh", []value{b.dense("pool", x)})
}

// norm normalises the last axis.
func (b *builder) norm(name string, x value) value {
	return b.op("LayerNormalization", []value{x, b.param(name + ".g"), b.param(name + ".b")}, intAttribute("axis", -1), floatAttribute("epsilon", b.spec.Encoder.LayerNormEps))
}

// attention is that of a layer for all its heads: [batch,length,hidden]. Queries, keys and
// values are products of their own, the form in which ONNX Runtime's optimizer knows it.
func (b *builder) attention(name string, x value) value {
	c := b.spec.Encoder
	h, heads := c.HiddenSize, c.NumAttentionHeads
	split := b.ints("split", 0, 0, int64(heads), int64(h/heads))
	part := func(i int, label string, order ...int64) value {
		y := b.op("MatMul", []value{x, b.columns(name+"qkv.w", label, i*h, h)})
		y = b.op("Add", []value{b.columns(name+"qkv.b", label, i*h, h), y})
		return b.op("Transpose", []value{b.op("Reshape", []value{y, split})}, intsAttribute("perm", order...))
	}
	q, k, v := part(0, "q", 0, 2, 1, 3), part(1, "k", 0, 2, 3, 1), part(2, "v", 0, 2, 1, 3)
	scores := b.op("Div", []value{b.op("MatMul", []value{q, k}), b.scalar("root", math.Sqrt(float64(h/heads)))})
	a := b.op("Softmax", []value{b.op("Add", []value{scores, b.maskBias()})}, intAttribute("axis", -1))
	a = b.op("Transpose", []value{b.op("MatMul", []value{a, v})}, intsAttribute("perm", 0, 2, 1, 3))
	return b.op("Reshape", []value{a, b.ints("join", 0, 0, int64(h))})
}

// maskBias is 0 where a token is seen and far below all else where not:
// [batch,1,1,length].
func (b *builder) maskBias() value {
	if b.bias == "" {
		seen := b.op("Unsqueeze", []value{b.floatMask, b.ints("axes12", 1, 2)})
		b.bias = b.op("Mul", []value{b.op("Sub", []value{b.scalar("1", 1), seen}), b.scalar("far", maskedBias)})
	}
	return b.bias
}

// afterAttention is the rest of a layer: its input x and the attention's output a.
func (b *builder) afterAttention(name string, x, a value) value {
	x = b.norm(name+"ln1", b.op("Add", []value{b.dense(name+"o", a), x}))
	f := b.dense(name+"ff2", b.activation(b.dense(name+"ff1", x)))
	return b.norm(name+"ln2", b.op("Add", []value{f, x}))
}

// activation is the one that config.json names.
func (b *builder) activation(x value) value {
	mul := func(x, y value) value { return b.op("Mul", []value{x, y}) }
	add := func(x, y value) value { return b.op("Add", []value{x, y}) }
	one, half := b.scalar("1", 1), b.scalar("half", 0.5)
	switch b.spec.Encoder.HiddenAct {
	case "relu":
		return b.op("Relu", []value{x})
	case "gelu_new", "gelu_pytorch_tanh":
		inner := mul(add(x, mul(mul(mul(x, x), x), b.scalar("gelu.cube", 0.044715))), b.scalar("gelu.scale", math.Sqrt(2/math.Pi)))
		return mul(mul(x, add(b.op("Tanh", []value{inner}), one)), half)
	}
	return mul(mul(x, add(b.op("Erf", []value{b.op("Div", []value{x, b.scalar("root2", math.Sqrt2)})}), one)), half)
}
