package onnx

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/sprint-ml/sprint/ml/bert"
)

// Names of the inputs and outputs.
const (
	IDs    = "input_ids"      // the tokens, padded on the right
	Mask   = "attention_mask" // 1 where a text has a token
	Types  = "token_type_ids" // of encoders that have several
	Scores = "scores"         // float32 [batch,categories], as bert.Prediction has them
	None   = "none"           // float32 [batch], of models that know none
	Tags   = "tags"           // int64 [batch,categories], indices
)

// Classifier makes the file of a model: ids to scores and tags, what rules add left out.
// Batch and length are free; no text has more tokens than the encoder takes. The model must
// not change while the file is used.
func Classifier(m *bert.Model) (*File, error) {
	s := m.Spec
	if known := []string{"bert", "roberta", "xlm-roberta", "camembert"}; !slices.Contains(known, s.Encoder.ModelType) {
		return nil, fmt.Errorf("an ONNX file of model_type %q is not known here; known are %q", s.Encoder.ModelType, known)
	}
	b := &builder{File: &File{byName: map[string]bool{}}, spec: s, params: map[string]bert.Param{}}
	for _, p := range m.Params {
		b.params[p.Name] = p
	}
	b.begin()
	categories, err := json.Marshal(s.Categories)
	if err != nil {
		return nil, err
	}
	b.note("categories", string(categories))
	b.heads(b.pool(b.encoder()))
	if len(b.missing) > 0 {
		return nil, fmt.Errorf("the model has no parameters %q", b.missing)
	}
	if n := b.Size(); n > maxFile {
		return nil, fmt.Errorf("the model as one ONNX file has %d MB; a file may have %d", n>>20, maxFile>>20)
	}
	return b.File, nil
}

// builder makes the graph of a model.
type builder struct {
	*File
	spec    bert.Spec
	params  map[string]bert.Param
	missing []string

	floatMask value // float32 [batch,length]
	bias      value // of the attention, once it is made
}

// param is a parameter of the model, as a tensor of the file.
func (b *builder) param(name string) value {
	p, ok := b.params[name]
	if !ok {
		b.missing = append(b.missing, name)
	}
	return b.floats(name, p.Data, p.Shape...)
}

// columns is the part of a parameter [rows,cols] that has n columns from one on.
func (b *builder) columns(name, part string, from, n int) value {
	p, ok := b.params[name]
	if !ok || len(p.Shape) == 0 {
		b.missing = append(b.missing, name)
		return ""
	}
	cols := p.Shape[len(p.Shape)-1]
	var data []float32
	for row := range slices.Chunk(p.Data, cols) {
		data = append(data, row[from:from+n]...)
	}
	shape := slices.Clone(p.Shape)
	shape[len(shape)-1] = n
	return b.floats(name+"."+part, data, shape...)
}

// dense is x·W+b.
func (b *builder) dense(name string, x value) value {
	return b.op("Add", []value{b.op("MatMul", []value{x, b.param(name + ".w")}), b.param(name + ".b")})
}
