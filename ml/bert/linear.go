package bert

import (
	"fmt"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/sprint-ml/sprint/ml/encoder"
)

// Parameters of linear heads. The centre and the scale are measured, not learned.
const (
	linearMean  = "head.mean"         // [H], of the texts' vectors of length 1
	linearScale = "head.scale"        // [1]
	linearW     = "head.linear.w"     // [H,Outputs()]
	linearB     = "head.linear.b"     // [Outputs()]
	linearTagW  = "head.linear.tag.w" // [H,K*maxTags]
	linearTagB  = "head.linear.tag.b" // [K,maxTags]
)

// leastLength is the length of a vector that can still be scaled.
const leastLength = 1e-12

// Linear are the numbers of linear heads: their weights are of a text's vector of length
// 1, less Mean, times Scale.
type Linear struct {
	Mean  []float32
	Scale float32
	// Score are the weights by output, Tag by category and tag; the bias is last.
	Score [][]float32
	Tag   [][][]float32
}

// SetLinear gives the model its heads, which are those of its Spec.
func (m *Model) SetLinear(l *Linear) error {
	s := m.Spec
	h, outputs, mt := s.Encoder.HiddenSize, s.Outputs(), s.maxTags()
	if !s.Linear || len(l.Mean) != h || len(l.Score) != outputs || len(l.Tag) != len(s.Categories) {
		return fmt.Errorf("linear heads of %d outputs on %d numbers do not fit the model", len(l.Score), len(l.Mean))
	}
	data := map[string][]float32{linearMean: slices.Clone(l.Mean), linearScale: {l.Scale}}
	for _, p := range linearParams(s) {
		if data[p.Name] == nil {
			data[p.Name] = p.Data
		}
	}
	put := func(weights []float32, w, b string, at, width int) error {
		if len(weights) != h+1 {
			return fmt.Errorf("a linear head has %d weights, not %d", len(weights), h+1)
		}
		for j, x := range weights[:h] {
			data[w][j*width+at] = x
		}
		data[b][at] = weights[h]
		return nil
	}
	for k, weights := range l.Score {
		if err := put(weights, linearW, linearB, k, outputs); err != nil {
			return err
		}
	}
	for c, tags := range l.Tag {
		if len(tags) != len(s.Categories[c].Tags) {
			return fmt.Errorf("linear heads of %d tags do not fit category %s", len(tags), s.Categories[c].Name)
		}
		for t, weights := range tags {
			if err := put(weights, linearTagW, linearTagB, c*mt+t, len(s.Categories)*mt); err != nil {
				return err
			}
		}
	}
	for i, p := range m.Params {
		if x, ok := data[p.Name]; ok {
			m.Params[i].Data = x
		}
	}
	return nil
}

// linearParams are the parameters of linear heads, all 0 but the scale.
func linearParams(s Spec) []Param {
	h, k, mt, outputs, layer := s.Encoder.HiddenSize, len(s.Categories), s.maxTags(), s.Outputs(), s.Encoder.NumHiddenLayers
	return []Param{
		{Name: linearMean, Shape: []int{h}, Data: make([]float32, h), Layer: layer, Constant: true},
		{Name: linearScale, Shape: []int{1}, Data: []float32{1}, Layer: layer, Constant: true},
		{Name: linearW, Shape: []int{h, outputs}, Data: make([]float32, h*outputs), Decay: true, Layer: layer},
		{Name: linearB, Shape: []int{outputs}, Data: make([]float32, outputs), Layer: layer},
		{Name: linearTagW, Shape: []int{h, k * mt}, Data: make([]float32, h*k*mt), Decay: true, Layer: layer},
		{Name: linearTagB, Shape: []int{k, mt}, Data: make([]float32, k*mt), Layer: layer},
	}
}

// linearHeads is Heads for linear ones. The score of a category is 2σ(logit)-1 where a
// row may have several.
func (s Spec) linearHeads(p Params, pooled *Node, m *Mode) (scores, logits *Node) {
	b, k, mt := pooled.Shape().Dimensions[0], len(s.Categories), s.maxTags()
	length := Sqrt(MaxScalar(ReduceAndKeep(Square(pooled), ReduceSum, -1), leastLength*leastLength))
	x := Sub(Div(pooled, length), ExpandDims(p(linearMean), 0))
	x = Mul(x, ExpandDims(p(linearScale), 0))
	scores = affine(x, p(linearW), p(linearB), m)
	if s.Single {
		scores = LogSoftmax(scores, -1)
	} else {
		scores = Tanh(MulScalar(scores, 0.5))
	}
	logits = Reshape(affine(x, p(linearTagW), Reshape(p(linearTagB), k*mt), m), b, k, mt)
	return scores, s.maskTags(logits)
}

// linearTensors writes linear heads as the file's: heads.<i>.{score,tag}.{weight,bias},
// weights [out,in], heads.none.score.*, and heads.mean and heads.scale.
func linearTensors(s Spec, by map[string]Param) []encoder.Tensor {
	h, mt, outputs := s.Encoder.HiddenSize, s.maxTags(), s.Outputs()
	score := transpose(by[linearW].Data, h, outputs)
	tag := transpose(by[linearTagW].Data, h, len(s.Categories)*mt)
	out := []encoder.Tensor{
		encoder.Float32Tensor("heads.mean", by[linearMean].Data, h),
		encoder.Float32Tensor("heads.scale", by[linearScale].Data, 1),
	}
	for k, c := range s.Categories {
		name, n := fmt.Sprintf("heads.%d.", k), len(c.Tags)
		out = append(out,
			encoder.Float32Tensor(name+"score.weight", score[k*h:(k+1)*h], 1, h),
			encoder.Float32Tensor(name+"score.bias", by[linearB].Data[k:k+1], 1),
			encoder.Float32Tensor(name+"tag.weight", tag[k*mt*h:(k*mt+n)*h], n, h),
			encoder.Float32Tensor(name+"tag.bias", by[linearTagB].Data[k*mt:k*mt+n], n),
		)
	}
	if k := len(s.Categories); s.None {
		out = append(out,
			encoder.Float32Tensor(noneHead+"weight", score[k*h:(k+1)*h], 1, h),
			encoder.Float32Tensor(noneHead+"bias", by[linearB].Data[k:k+1], 1))
	}
	return out
}

// readLinear is the inverse of linearTensors. Nothing is made of the size that a spec
// claims before the file has all tensors of it.
func readLinear(s Spec, get func(name string) (encoder.Tensor, bool)) ([]Param, error) {
	h := s.Encoder.HiddenSize
	var l Linear
	scale, err := finiteTensor(get, "heads.scale", []int{1})
	if err != nil {
		return nil, err
	}
	l.Scale = scale[0]
	if l.Mean, err = finiteTensor(get, "heads.mean", []int{h}); err != nil {
		return nil, err
	}
	for k, c := range s.Categories {
		name := fmt.Sprintf("heads.%d.", k)
		score, err := readAffine(get, name+"score.", h, 1)
		if err != nil {
			return nil, err
		}
		tag, err := readAffine(get, name+"tag.", h, len(c.Tags))
		if err != nil {
			return nil, err
		}
		l.Score, l.Tag = append(l.Score, score[0]), append(l.Tag, tag)
	}
	if s.None {
		none, err := readAffine(get, noneHead, h, 1)
		if err != nil {
			return nil, err
		}
		l.Score = append(l.Score, none[0])
	}
	m := Model{Spec: s, Params: linearParams(s)}
	return m.Params, m.SetLinear(&l)
}

// readAffine reads the weights of so many outputs, each with its bias behind.
func readAffine(get func(name string) (encoder.Tensor, bool), prefix string, hidden, outputs int) ([][]float32, error) {
	w, err := finiteTensor(get, prefix+"weight", []int{outputs, hidden})
	if err != nil {
		return nil, err
	}
	b, err := finiteTensor(get, prefix+"bias", []int{outputs})
	if err != nil {
		return nil, err
	}
	out := make([][]float32, outputs)
	for k := range out {
		out[k] = append(slices.Clone(w[k*hidden:(k+1)*hidden]), b[k])
	}
	return out, nil
}
