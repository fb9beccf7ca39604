package onnx

import "math"

// leastLength is that of a vector that can still be scaled, as in package bert.
const leastLength = 1e-12

// heads makes the outputs of the texts' vectors [batch,hidden].
func (b *builder) heads(x value) {
	var logits, tags value
	if b.spec.Linear {
		logits, tags = b.linearHeads(x)
	} else {
		logits, tags = b.hiddenHeads(x)
	}
	k := len(b.spec.Categories)
	if b.spec.Single {
		b.choice(logits)
	} else {
		b.scores(logits)
	}
	b.output(Tags, typeInt64, []any{"batch", k}, "ArgMax", []value{tags}, intAttribute("axis", -1), intAttribute("keepdims", 0))
}

// hiddenHeads are those with a hidden layer: logits [batch,outputs] and those of the tags
// [batch,categories,most tags].
func (b *builder) hiddenHeads(x value) (logits, tags value) {
	k, hh := int64(len(b.spec.Categories)), int64(b.spec.HeadHidden)
	h := b.op("Relu", []value{b.dense("head.in", x)})
	h = b.op("Reshape", []value{h, b.ints("heads", -1, k, 2, hh)})
	part := func(i int64, name string) value { // [batch,categories,width]
		return b.op("Gather", []value{h, b.index(name, i)}, intAttribute("axis", 2))
	}
	logits = b.op("ReduceSum", []value{b.op("Mul", []value{part(0, "score.part"), b.param("head.score.w")}), b.ints("last", -1)}, intAttribute("keepdims", 0))
	logits = b.op("Add", []value{logits, b.param("head.score.b")})
	if b.spec.None {
		n := b.op("Relu", []value{b.dense("head.none.in", x)})
		n = b.op("ReduceSum", []value{b.op("Mul", []value{n, b.param("head.none.w")}), b.ints("last", -1)}, intAttribute("keepdims", 1))
		logits = b.op("Concat", []value{logits, b.op("Add", []value{n, b.param("head.none.b")})}, intAttribute("axis", -1))
	}
	swap := intsAttribute("perm", 1, 0, 2)
	tags = b.op("MatMul", []value{b.op("Transpose", []value{part(1, "tag.part")}, swap), b.param("head.tag.w")})
	tags = b.op("Add", []value{b.op("Transpose", []value{tags}, swap), b.param("head.tag.b")})
	return logits, b.maskTags(tags)
}

// linearHeads are those of the vector of length 1, centred and scaled.
func (b *builder) linearHeads(x value) (logits, tags value) {
	square := b.op("ReduceSum", []value{b.op("Mul", []value{x, x}), b.ints("last", -1)}, intAttribute("keepdims", 1))
	length := b.op("Sqrt", []value{b.op("Max", []value{square, b.scalar("least", leastLength*leastLength)})})
	x = b.op("Sub", []value{b.op("Div", []value{x, length}), b.param("head.mean")})
	x = b.op("Mul", []value{x, b.param("head.scale")})
	tags = b.op("MatMul", []value{x, b.param("head.linear.tag.w")})
	tags = b.op("Reshape", []value{tags, b.ints("tags.shape", -1, int64(len(b.spec.Categories)), int64(b.mostTags()))})
	return b.dense("head.linear", x), b.maskTags(b.op("Add", []value{tags, b.param("head.linear.tag.b")}))
}

func (b *builder) mostTags() int {
	n := 0
	for _, c := range b.spec.Categories {
		n = max(n, len(c.Tags))
	}
	return n
}

// maskTags puts the logits of tags that a category does not have far below all others.
func (b *builder) maskTags(logits value) value {
	k, most := len(b.spec.Categories), b.mostTags()
	dead := make([]float32, k*most)
	for i, c := range b.spec.Categories {
		for j := len(c.Tags); j < most; j++ {
			dead[i*most+j] = maskedBias
		}
	}
	return b.op("Add", []value{logits, b.floats("tags.dead", dead, k, most)})
}

// choice makes the outputs of a single model: 2p-1 of each category, and the p of none.
func (b *builder) choice(logits value) {
	if t := b.spec.Temperature; t != 0 && t != 1 {
		logits = b.op("Div", []value{logits, b.scalar("temperature", t)})
	}
	k := len(b.spec.Categories)
	p := b.op("Softmax", []value{logits}, intAttribute("axis", -1))
	one, last := b.scalar("1", 1), b.ints("last", -1)
	if b.spec.None {
		b.output(None, typeFloat, []any{"batch"}, "Gather", []value{p, b.index("none.at", int64(k))}, intAttribute("axis", 1))
		p = b.op("Slice", []value{p, b.ints("zero", 0), b.ints("categories", int64(k)), last})
	}
	b.output(Scores, typeFloat, []any{"batch", k}, "Sub", []value{b.op("Mul", []value{p, b.scalar("2", 2)}), one})
}

// scores makes the output of a model of several labels.
func (b *builder) scores(logits value) {
	k := len(b.spec.Categories)
	shape := []any{"batch", k}
	if b.spec.Linear {
		logits = b.op("Mul", []value{logits, b.scalar("half", 0.5)})
	}
	if b.spec.Temperatures == nil {
		b.output(Scores, typeFloat, shape, "Tanh", []value{logits})
		return
	}
	// As metrics.Temper: a score above 0 is a probability, whose log-odds are divided.
	s := b.op("Tanh", []value{logits})
	t, same := make([]float32, k), make([]bool, k)
	for i, x := range b.spec.Temperatures {
		t[i], same[i] = float32(x), x != 1
	}
	one := b.scalar("1", 1)
	p := b.op("Max", []value{s, b.scalar("tiny", math.SmallestNonzeroFloat32*(1<<23))})
	odds := b.op("Sub", []value{b.op("Log", []value{p}), b.op("Log", []value{b.op("Sub", []value{one, p})})})
	tempered := b.op("Sigmoid", []value{b.op("Div", []value{odds, b.floats("temperatures", t, k)})})
	inside := b.op("And", []value{b.op("Greater", []value{s, b.scalar("0", 0)}), b.op("Less", []value{s, one})})
	b.output(Scores, typeFloat, shape, "Where", []value{b.op("And", []value{inside, b.bools("tempered", same...)}), tempered, s})
}
