package ort

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"slices"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/onnx"
)

// Predictor answers for a model. It is safe for concurrent use.
type Predictor struct {
	model   *bert.Model
	session *session
	types   bool // the model reads them
}

// NewPredictor puts a model into the library, which computes with so many threads: 0 is one
// of each processor that this process may use. The weights of the model are copied.
func NewPredictor(l *Library, m *bert.Model, threads int) (*Predictor, error) {
	f, err := onnx.Classifier(m)
	if err != nil {
		return nil, err
	}
	var file bytes.Buffer
	file.Grow(f.Size())
	if _, err := f.WriteTo(&file); err != nil {
		return nil, err
	}
	k := len(m.Spec.Categories)
	outputs := []output{{onnx.Scores, k, 4}, {onnx.Tags, k, 8}}
	if m.Spec.None {
		outputs = append(outputs, output{onnx.None, 1, 4})
	}
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	s, err := l.session(file.Bytes(), threads, f.Inputs, outputs)
	if err != nil {
		return nil, err
	}
	return &Predictor{m, s, slices.Contains(f.Inputs, onnx.Types)}, nil
}

// Close frees the library's copy of the model.
func (p *Predictor) Close() { p.session.close() }

// Model is the model that the predictor answers for.
func (p *Predictor) Model() *bert.Model { return p.model }

// batchTokens is how many tokens a batch has, padding included: enough for products of
// matrices at full speed, few enough that what is between stays near the processor.
const batchTokens = 1024

// Predict answers for texts, in their order. They are sorted by length, so that little of a
// batch is padding.
func (p *Predictor) Predict(ctx context.Context, texts []bert.Text) ([]bert.Prediction, error) {
	order := make([]int, len(texts))
	for i := range order {
		order[i] = i
	}
	length := func(i int) int { return max(min(len(texts[i].IDs), p.model.Spec.MaxLength), 1) }
	slices.SortStableFunc(order, func(a, b int) int { return length(a) - length(b) })
	out := make([]bert.Prediction, len(texts))
	for len(order) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := 1
		for n < len(order) && (n+1)*length(order[n]) <= batchTokens {
			n++
		}
		longest := length(order[n-1])
		if err := p.batch(texts, order[:n], longest, out); err != nil {
			return nil, fmt.Errorf("predict %d texts of up to %d tokens: %w", n, longest, err)
		}
		order = order[n:]
	}
	return out, nil
}

// batch answers for the texts at some places.
func (p *Predictor) batch(texts []bert.Text, at []int, length int, out []bert.Prediction) error {
	rows := len(at)
	answer, err := p.session.run(p.inputs(texts, at, length), rows, length)
	if err != nil {
		return err
	}
	s := p.model.Spec
	k := len(s.Categories)
	scores, tags, none := answer[:4*rows*k], answer[4*rows*k:12*rows*k], answer[12*rows*k:]
	float := func(b []byte, i int) float32 { return math.Float32frombits(binary.NativeEndian.Uint32(b[4*i:])) }
	for r, i := range at {
		a := bert.Prediction{Scores: make([]float32, k), Tags: make([]int32, k), Logistic: s.Logistic()}
		for c := range k {
			a.Scores[c] = float(scores, r*k+c)
			a.Tags[c] = int32(binary.NativeEndian.Uint64(tags[8*(r*k+c):])) //nolint:gosec // below the number of tags
		}
		if s.None {
			a.None = float(none, r)
		}
		out[i] = a
	}
	return nil
}

// inputs are those of the texts at some places, one behind the other: ids, mask and, where the
// model reads them, types, [len(at),length] each.
func (p *Predictor) inputs(texts []bert.Text, at []int, length int) []int64 {
	rows, inputs := len(at), 2
	if p.types {
		inputs = 3
	}
	in := make([]int64, inputs*rows*length)
	ids, mask := in[:rows*length], in[rows*length:2*rows*length]
	for r, i := range at {
		row := r * length
		for j, id := range texts[i].IDs[:min(len(texts[i].IDs), length)] {
			ids[row+j], mask[row+j] = int64(id), 1
		}
		mask[row] = 1 // a text without tokens attends to one: no empty softmax
		if p.types {
			for j, x := range texts[i].Types[:min(len(texts[i].Types), length)] {
				in[2*rows*length+row+j] = int64(x)
			}
		}
	}
	return in
}
