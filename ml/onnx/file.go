// Package onnx writes a classifier as an ONNX file, from which other programs answer as
// this one does: what the network says, without what rules add to it.
//
// classifier.go makes the graph of a model, encoder.go that of its encoder and heads.go that
// of its heads; file.go and tensor.go write the file. It imports ml/bert and runs nothing:
// package onnx/ort does.
package onnx

import (
	"fmt"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Versions that a file asks of its reader: opset 17 is the first with LayerNormalization,
// which ONNX Runtime knows since 1.12.
const (
	irVersion = 8
	opset     = 17
)

// Types of elements, by onnx.proto.
const (
	typeFloat = 1
	typeInt64 = 7
	typeBool  = 9
)

// File is an ONNX file. Equal models make files of equal bytes. It holds the weights of the
// model it was made of, not copies of them.
type File struct {
	// Inputs are the names of the inputs, int64 [batch,length] each.
	Inputs []string

	head    []byte // of the model, before its graph
	nodes   []byte
	tensors []tensor // in the order they were made
	values  []byte   // the inputs and outputs
	tail    []byte   // of the model, behind its graph

	byName map[string]bool
	made   int // results of nodes so far
}

// value is a result of a node, an input or a tensor, by its name.
type value string

// attribute is one of a node.
type attribute struct {
	name string
	data []byte
}

func intAttribute(name string, x int64) attribute {
	b := appendInt(nil, 3, x)
	return attribute{name, appendInt(b, 20, 2)}
}

func intsAttribute(name string, all ...int64) attribute {
	var b []byte
	for _, x := range all {
		b = appendInt(b, 8, x)
	}
	return attribute{name, appendInt(b, 20, 7)}
}

func floatAttribute(name string, x float64) attribute {
	b := protowire.AppendTag(nil, 2, protowire.Fixed32Type)
	b = protowire.AppendFixed32(b, math.Float32bits(float32(x)))
	return attribute{name, appendInt(b, 20, 1)}
}

// op adds a node of one result, whose name it returns.
func (f *File) op(kind string, in []value, attributes ...attribute) value {
	f.made++
	out := value(fmt.Sprintf("%s_%d", kind, f.made))
	f.node(kind, in, out, attributes)
	return out
}

// output adds a node whose result is an output of the file.
func (f *File) output(name string, element int, shape []any, kind string, in []value, attributes ...attribute) {
	f.node(kind, in, value(name), attributes)
	f.values = appendMessage(f.values, 12, valueInfo(name, element, shape))
}

// input adds an input, int64 [batch,length].
func (f *File) input(name string) value {
	f.Inputs = append(f.Inputs, name)
	f.values = appendMessage(f.values, 11, valueInfo(name, typeInt64, []any{"batch", "length"}))
	return value(name)
}

func (f *File) node(kind string, in []value, out value, attributes []attribute) {
	var b []byte
	for _, x := range in {
		b = appendText(b, 1, string(x))
	}
	b = appendText(b, 2, string(out))
	b = appendText(b, 3, string(out))
	b = appendText(b, 4, kind)
	for _, a := range attributes {
		b = appendMessage(b, 5, append(appendText(nil, 1, a.name), a.data...))
	}
	f.nodes = appendMessage(f.nodes, 1, b)
}

// valueInfo describes an input or output; a dimension is a number, or a name if it is free.
func valueInfo(name string, element int, shape []any) []byte {
	var dims []byte
	for _, d := range shape {
		var dim []byte
		switch x := d.(type) {
		case int:
			dim = appendInt(nil, 1, int64(x))
		case string:
			dim = appendText(nil, 2, x)
		}
		dims = appendMessage(dims, 1, dim)
	}
	tensorType := appendMessage(appendInt(nil, 1, int64(element)), 2, dims)
	return appendMessage(appendText(nil, 1, name), 2, appendMessage(nil, 1, tensorType))
}

// begin writes what stands before the graph.
func (f *File) begin() {
	f.head = appendInt(nil, 1, irVersion)
	f.head = appendText(f.head, 2, "sprint")
	f.head = appendMessage(f.head, 8, appendInt(nil, 2, opset))
}

// note adds a property that readers show and that changes no answer.
func (f *File) note(key, text string) {
	f.tail = appendMessage(f.tail, 14, appendText(appendText(nil, 1, key), 2, text))
}

// maxFile is what a message of protobuf may hold, and ONNX without files beside.
const maxFile = math.MaxInt32

// graphSize is the number of bytes of the graph.
func (f *File) graphSize() int {
	n := len(f.nodes) + len(f.values) + len(appendText(nil, 2, graphName))
	for _, t := range f.tensors {
		n += protowire.SizeTag(5) + protowire.SizeBytes(t.size())
	}
	return n
}

const graphName = "classifier"

// Size is the number of bytes of the file.
func (f *File) Size() int {
	return len(f.head) + protowire.SizeTag(7) + protowire.SizeBytes(f.graphSize()) + len(f.tail)
}

// WriteTo writes the file.
func (f *File) WriteTo(w io.Writer) (int64, error) {
	n := int64(0)
	put := func(b []byte) error {
		k, err := w.Write(b)
		n += int64(k)
		return err
	}
	start := protowire.AppendTag(f.head[:len(f.head):len(f.head)], 7, protowire.BytesType)
	start = protowire.AppendVarint(start, uint64(f.graphSize())) //nolint:gosec // a size
	start = append(start, f.nodes...)
	if err := put(appendText(start, 2, graphName)); err != nil {
		return n, err
	}
	for _, t := range f.tensors {
		if err := t.write(put); err != nil {
			return n, err
		}
	}
	return n, put(append(f.values[:len(f.values):len(f.values)], f.tail...))
}

func appendInt(b []byte, field protowire.Number, x int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(x)) //nolint:gosec // as protobuf has negative numbers
}

func appendText(b []byte, field protowire.Number, x string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), x)
}

func appendMessage(b []byte, field protowire.Number, x []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), x)
}
