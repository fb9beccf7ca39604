package onnx

import (
	"encoding/binary"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// tensor is a constant of a file: numbers of one type, row-major.
type tensor struct {
	head   []byte // name, type and shape
	floats []float32
	raw    []byte // of other types, little-endian
}

// dataField is raw_data of a TensorProto.
const dataField = 9

func (t tensor) dataSize() int { return 4*len(t.floats) + len(t.raw) }

// size is the number of bytes of the tensor's message.
func (t tensor) size() int {
	return len(t.head) + protowire.SizeTag(dataField) + protowire.SizeBytes(t.dataSize())
}

// chunk is how many floats are written at once.
const chunk = 1 << 14

// write writes the tensor as a field of the graph.
func (t tensor) write(put func([]byte) error) error {
	b := protowire.AppendVarint(protowire.AppendTag(nil, 5, protowire.BytesType), uint64(t.size())) //nolint:gosec // a size
	b = append(b, t.head...)
	b = protowire.AppendVarint(protowire.AppendTag(b, dataField, protowire.BytesType), uint64(t.dataSize())) //nolint:gosec // a size
	if err := put(append(b, t.raw...)); err != nil {
		return err
	}
	b = make([]byte, 0, 4*min(chunk, len(t.floats)))
	for part := range slices.Chunk(t.floats, chunk) {
		b = b[:0]
		for _, x := range part {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
		if err := put(b); err != nil {
			return err
		}
	}
	return nil
}

// constant adds a tensor unless there is one of its name.
func (f *File) constant(name string, element int, shape []int, floats []float32, raw []byte) value {
	if f.byName[name] {
		return value(name)
	}
	f.byName[name] = true
	var head []byte
	for _, d := range shape {
		head = appendInt(head, 1, int64(d))
	}
	head = appendText(appendInt(head, 2, int64(element)), 8, name)
	f.tensors = append(f.tensors, tensor{head, floats, raw})
	return value(name)
}

func (f *File) floats(name string, data []float32, shape ...int) value {
	return f.constant(name, typeFloat, shape, data, nil)
}

// scalar is one number.
func (f *File) scalar(name string, x float64) value {
	return f.floats(name, []float32{float32(x)})
}

// ints is a list of numbers, for shapes and axes.
func (f *File) ints(name string, all ...int64) value {
	var raw []byte
	for _, x := range all {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(x)) //nolint:gosec // two's complement
	}
	return f.constant(name, typeInt64, []int{len(all)}, nil, raw)
}

func (f *File) bools(name string, all ...bool) value {
	raw := make([]byte, len(all))
	for i, x := range all {
		if x {
			raw[i] = 1
		}
	}
	return f.constant(name, typeBool, []int{len(all)}, nil, raw)
}

// index is one place of an axis, with which Gather drops the axis.
func (f *File) index(name string, at int64) value {
	return f.constant(name, typeInt64, nil, nil, binary.LittleEndian.AppendUint64(nil, uint64(at))) //nolint:gosec // not negative
}
