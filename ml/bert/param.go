package bert

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/sprint-ml/sprint/ml/encoder"
)

// Param is one weight of the graph on the host, row-major. Dense weights stand
// as [in,out], which XLA's CPU backend multiplies fastest; files hold [out,in].
type Param struct {
	Name  string
	Shape []int
	Data  []float32
	// Decay says whether weight decay applies: not to biases and LayerNorm
	// (Devlin et al. 2018, and every implementation since).
	Decay bool
	// Layer is the encoder layer, -1 for embeddings, the number of layers for
	// pooler and heads.
	Layer int
	// Constant parameters are inputs of the graph that no fit changes.
	Constant bool
}

// Size is the number of values.
func (p Param) Size() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// Names of the parameters that other packages ask for.
const (
	WordEmbeddings = "emb.word"
	headScoreW     = "head.score.w" // [K,HH]
	headTagW       = "head.tag.w"   // [K,HH,maxTags]
	headNoneW      = "head.none.w"  // [HH], of single models that know none
)

// tensorSource maps a parameter to the tensors of the file that make it.
type tensorSource struct {
	param   string
	tensors []string // HF names without prefix; several are joined along out
	dense   bool     // [out,in] in the file, [in,out] here
	decay   bool
	layer   int
}

func (b bertBody) sources(pooler bool) []tensorSource {
	c := b.Encoder
	s := []tensorSource{
		{WordEmbeddings, []string{"embeddings.word_embeddings.weight"}, false, true, -1},
		{"emb.pos", []string{"embeddings.position_embeddings.weight"}, false, true, -1},
		{"emb.type", []string{"embeddings.token_type_embeddings.weight"}, false, true, -1},
		{"emb.ln.g", []string{"embeddings.LayerNorm.weight"}, false, false, -1},
		{"emb.ln.b", []string{"embeddings.LayerNorm.bias"}, false, false, -1},
	}
	for l := range c.NumHiddenLayers {
		f, n := fmt.Sprintf("encoder.layer.%d.", l), fmt.Sprintf("L%d.", l)
		a := f + "attention."
		s = append(s,
			tensorSource{n + "qkv.w", []string{a + "self.query.weight", a + "self.key.weight", a + "self.value.weight"}, true, true, l},
			tensorSource{n + "qkv.b", []string{a + "self.query.bias", a + "self.key.bias", a + "self.value.bias"}, false, false, l},
			tensorSource{n + "o.w", []string{a + "output.dense.weight"}, true, true, l},
			tensorSource{n + "o.b", []string{a + "output.dense.bias"}, false, false, l},
			tensorSource{n + "ln1.g", []string{a + "output.LayerNorm.weight"}, false, false, l},
			tensorSource{n + "ln1.b", []string{a + "output.LayerNorm.bias"}, false, false, l},
			tensorSource{n + "ff1.w", []string{f + "intermediate.dense.weight"}, true, true, l},
			tensorSource{n + "ff1.b", []string{f + "intermediate.dense.bias"}, false, false, l},
			tensorSource{n + "ff2.w", []string{f + "output.dense.weight"}, true, true, l},
			tensorSource{n + "ff2.b", []string{f + "output.dense.bias"}, false, false, l},
			tensorSource{n + "ln2.g", []string{f + "output.LayerNorm.weight"}, false, false, l},
			tensorSource{n + "ln2.b", []string{f + "output.LayerNorm.bias"}, false, false, l},
		)
	}
	if pooler {
		s = append(s,
			tensorSource{"pool.w", []string{"pooler.dense.weight"}, true, true, c.NumHiddenLayers},
			tensorSource{"pool.b", []string{"pooler.dense.bias"}, false, false, c.NumHiddenLayers})
	}
	return s
}

// read makes the parameter from the file's tensors. It views one that is as the graph wants
// it, since an embedding table may be most of a model.
func (s tensorSource) read(get func(name string) (encoder.Tensor, bool)) (Param, error) {
	p := Param{Name: s.param, Decay: s.decay, Layer: s.layer}
	for _, name := range s.tensors {
		t, ok := get(name)
		if !ok {
			return p, fmt.Errorf("tensor %s is missing", name)
		}
		data, err := t.Float32()
		if err != nil {
			return p, fmt.Errorf("tensor %s: %w", name, err)
		}
		if p.Shape == nil {
			p.Data, p.Shape = data[:len(data):len(data)], slices.Clone(t.Shape)
		} else {
			p.Data = append(p.Data, data...)
			p.Shape[0] += t.Shape[0]
		}
	}
	if s.dense {
		p.Data = transpose(p.Data, p.Shape[0], p.Shape[1])
		p.Shape = []int{p.Shape[1], p.Shape[0]}
	}
	return p, nil
}

// write makes the file's tensors from the parameter.
func (s tensorSource) write(p Param, prefix string) []encoder.Tensor {
	data, shape := p.Data, p.Shape
	if s.dense {
		data = transpose(data, shape[0], shape[1])
		shape = []int{shape[1], shape[0]}
	}
	rows := shape[0] / len(s.tensors)
	part := len(data) / len(s.tensors)
	out := make([]encoder.Tensor, len(s.tensors))
	for i, name := range s.tensors {
		out[i] = encoder.Float32Tensor(prefix+name, data[i*part:(i+1)*part], append([]int{rows}, shape[1:]...)...)
	}
	return out
}

func transpose(w []float32, rows, cols int) []float32 {
	t := make([]float32, len(w))
	for i := range rows {
		for j := range cols {
			t[j*rows+i] = w[i*cols+j]
		}
	}
	return t
}

// headStream is the stream of random numbers that heads begin with.
const headStream = 0x5eed

// newHeads makes the heads' parameters: weights N(0, 0.02) as BERT's own, which
// other initialisers leave at chance, biases 0. Linear heads are 0: SetLinear gives them
// their numbers.
func newHeads(s Spec, seed uint64) []Param {
	if s.Linear {
		return linearParams(s)
	}
	rng := rand.New(rand.NewPCG(seed, headStream))
	return headParams(s, func(n int) []float32 {
		d := make([]float32, n)
		for i := range d {
			d[i] = float32(rng.NormFloat64() * 0.02)
		}
		return d
	})
}

// headParams makes the parameters with n weights each time that it asks for some.
func headParams(s Spec, weights func(n int) []float32) []Param {
	h, k, hh, mt := s.Encoder.HiddenSize, len(s.Categories), s.HeadHidden, s.maxTags()
	layer := s.Encoder.NumHiddenLayers
	tags := weights(k * hh * mt)
	for c, category := range s.Categories {
		for i := range hh {
			for j := len(category.Tags); j < mt; j++ {
				tags[(c*hh+i)*mt+j] = 0
			}
		}
	}
	weight := func(name string, data []float32, shape ...int) Param {
		return Param{Name: name, Shape: shape, Data: data, Decay: true, Layer: layer}
	}
	bias := func(name string, shape ...int) Param {
		p := Param{Name: name, Shape: shape, Layer: layer}
		p.Data = make([]float32, p.Size())
		return p
	}
	out := []Param{
		weight("head.in.w", weights(h*2*k*hh), h, 2*k*hh), bias("head.in.b", 2*k*hh),
		weight(headScoreW, weights(k*hh), k, hh), bias("head.score.b", k),
		weight(headTagW, tags, k, hh, mt), bias("head.tag.b", k, mt),
	}
	if s.None {
		out = append(out,
			weight("head.none.in.w", weights(h*hh), h, hh), bias("head.none.in.b", hh),
			weight(headNoneW, weights(hh), hh), bias("head.none.b", 1))
	}
	return out
}

// headTensors writes the fused heads as the file's single ones:
// heads.<i>.{score,tag}.{0,1}.{weight,bias}, weights [out,in], and heads.none.score.*
// of a single model that knows none.
func headTensors(s Spec, by map[string]Param) []encoder.Tensor {
	if s.Linear {
		return linearTensors(s, by)
	}
	h, hh, mt := s.Encoder.HiddenSize, s.HeadHidden, s.maxTags()
	in := transpose(by["head.in.w"].Data, h, len(by["head.in.b"].Data)) // [2*K*HH, H]
	bias := by["head.in.b"].Data
	var out []encoder.Tensor
	for k, c := range s.Categories {
		name := func(head string, n int, kind string) string {
			return fmt.Sprintf("heads.%d.%s.%d.%s", k, head, n, kind)
		}
		a, b := 2*k*hh, (2*k+1)*hh // rows of this category's score and tag layers
		tw, tb := make([]float32, len(c.Tags)*hh), make([]float32, len(c.Tags))
		for j := range c.Tags {
			for i := range hh {
				tw[j*hh+i] = by[headTagW].Data[(k*hh+i)*mt+j]
			}
			tb[j] = by["head.tag.b"].Data[k*mt+j]
		}
		out = append(out,
			encoder.Float32Tensor(name("score", 0, "weight"), in[a*h:(a+hh)*h], hh, h),
			encoder.Float32Tensor(name("score", 0, "bias"), bias[a:a+hh], hh),
			encoder.Float32Tensor(name("score", 1, "weight"), by[headScoreW].Data[k*hh:(k+1)*hh], 1, hh),
			encoder.Float32Tensor(name("score", 1, "bias"), by["head.score.b"].Data[k:k+1], 1),
			encoder.Float32Tensor(name("tag", 0, "weight"), in[b*h:(b+hh)*h], hh, h),
			encoder.Float32Tensor(name("tag", 0, "bias"), bias[b:b+hh], hh),
			encoder.Float32Tensor(name("tag", 1, "weight"), tw, len(c.Tags), hh),
			encoder.Float32Tensor(name("tag", 1, "bias"), tb, len(c.Tags)),
		)
	}
	if s.None {
		out = append(out,
			encoder.Float32Tensor(noneHead+"0.weight", transpose(by["head.none.in.w"].Data, h, hh), hh, h),
			encoder.Float32Tensor(noneHead+"0.bias", by["head.none.in.b"].Data, hh),
			encoder.Float32Tensor(noneHead+"1.weight", by[headNoneW].Data, 1, hh),
			encoder.Float32Tensor(noneHead+"1.bias", by["head.none.b"].Data, 1))
	}
	return out
}

// noneHead begins the names of the tensors of the head of none.
const noneHead = "heads.none.score."

// readHeads is the inverse of headTensors. Nothing is made of the size that a spec
// claims before the file has all tensors of it.
func readHeads(s Spec, get func(name string) (encoder.Tensor, bool)) ([]Param, error) {
	if s.Linear {
		return readLinear(s, get)
	}
	h, hh, mt := s.Encoder.HiddenSize, s.HeadHidden, s.maxTags()
	read := make([][4][]float32, 0, 2*len(s.Categories)) // score, tag, score, ...
	for k, c := range s.Categories {
		for _, head := range []string{"score", "tag"} {
			outs := 1
			if head == "tag" {
				outs = len(c.Tags)
			}
			data, err := readHead(get, fmt.Sprintf("heads.%d.%s.", k, head), h, hh, outs)
			if err != nil {
				return nil, err
			}
			read = append(read, data)
		}
	}
	var none [4][]float32
	if s.None {
		var err error
		if none, err = readHead(get, noneHead, h, hh, 1); err != nil {
			return nil, err
		}
	}
	params := headParams(s, func(n int) []float32 { return make([]float32, n) })
	by := map[string]Param{}
	for _, p := range params {
		by[p.Name] = p
	}
	rows := make([]float32, len(by["head.in.w"].Data))
	for at, data := range read {
		copy(rows[at*hh*h:], data[0])
		copy(by["head.in.b"].Data[at*hh:], data[1])
		k := at / 2
		if at%2 == 0 {
			copy(by[headScoreW].Data[k*hh:], data[2])
			by["head.score.b"].Data[k] = data[3][0]
			continue
		}
		for j := range s.Categories[k].Tags {
			for i := range hh {
				by[headTagW].Data[(k*hh+i)*mt+j] = data[2][j*hh+i]
			}
			by["head.tag.b"].Data[k*mt+j] = data[3][j]
		}
	}
	copy(by["head.in.w"].Data, transpose(rows, 2*len(s.Categories)*hh, h))
	if s.None {
		copy(by["head.none.in.w"].Data, transpose(none[0], hh, h))
		copy(by["head.none.in.b"].Data, none[1])
		copy(by[headNoneW].Data, none[2])
		copy(by["head.none.b"].Data, none[3])
	}
	return params, nil
}

// readHead reads the two layers of a head of so many outputs, weight and bias each.
func readHead(get func(name string) (encoder.Tensor, bool), prefix string, hidden, width, outputs int) (data [4][]float32, err error) {
	for n, t := range []struct {
		name  string
		shape []int
	}{{"0.weight", []int{width, hidden}}, {"0.bias", []int{width}}, {"1.weight", []int{outputs, width}}, {"1.bias", []int{outputs}}} {
		if data[n], err = finiteTensor(get, prefix+t.name, t.shape); err != nil {
			return data, err
		}
	}
	return data, nil
}

// finiteTensor reads a tensor of one shape whose numbers are all finite.
func finiteTensor(get func(name string) (encoder.Tensor, bool), name string, shape []int) ([]float32, error) {
	t, ok := get(name)
	if !ok {
		return nil, fmt.Errorf("tensor %s is missing", name)
	}
	if !slices.Equal(t.Shape, shape) {
		return nil, fmt.Errorf("tensor %s has shape %v, want %v", name, t.Shape, shape)
	}
	if err := t.CheckFinite(); err != nil {
		return nil, err
	}
	return t.Float32()
}
