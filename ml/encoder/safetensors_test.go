package encoder_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/fuzztest"
)

// file makes a safetensors file of a header and some data.
func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func TestReadSafetensorsRefuses(t *testing.T) {
	const ok = `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[],"data_offsets":[8,9]}}`
	if _, err := encoder.ReadSafetensors(bytes.NewReader(file(ok, 9)), int64(len(file(ok, 9)))); err != nil {
		t.Fatal(err)
	}
	edit := func(old, new string) []byte {
		if !strings.Contains(ok, old) {
			t.Fatalf("%q is not there", old)
		}
		return file(strings.Replace(ok, old, new, 1), 9)
	}
	for name, data := range map[string][]byte{
		"empty":            {},
		"short prefix":     {1, 2, 3},
		"huge header":      binary.LittleEndian.AppendUint64(nil, 1<<62),
		"header past end":  binary.LittleEndian.AppendUint64(nil, 100),
		"no object":        file(`[]`, 0),
		"half an object":   file(`{"a":`, 0),
		"after the object": file(ok+"{}", 9),
		"data missing":     file(ok, 8),
		"data over":        file(ok, 10),
		"unknown dtype":    edit(`"F32"`, `"F33"`),
		"negative shape":   edit(`[2]`, `[-2]`),
		"overflowing":      edit(`[2]`, `[4611686018427387904,4]`),
		"overflow to fit":  edit(`[2]`, `[9223372036854775807,9223372036854775807]`),
		"shape too large":  edit(`[2]`, `[3]`),
		"gap":              edit(`[8,9]`, `[9,10]`),
		"overlap":          edit(`[8,9]`, `[7,8]`),
		"backwards":        edit(`[0,8]`, `[8,0]`),
		"negative offset":  edit(`[0,8]`, `[-8,0]`),
		"three offsets":    edit(`[0,8]`, `[0,4,8]`),
		"twice":            edit(`"b"`, `"a"`),
		"float offset":     edit(`[0,8]`, `[0,8.5]`),
		"bad metadata":     edit(`{"a"`, `{"__metadata__":{"x":1},"a"`),
	} {
		if _, err := encoder.ReadSafetensors(bytes.NewReader(data), int64(len(data))); !errors.Is(err, encoder.ErrCorrupt) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestWriteSafetensorsRefuses(t *testing.T) {
	a := encoder.Float32Tensor("a", []float32{1, 2}, 2)
	wrong := encoder.Float32Tensor("b", []float32{1, 2}, 3)
	for _, tensors := range [][]encoder.Tensor{{a, a}, {wrong}, {{Name: "c", DType: "F99"}}} {
		var b bytes.Buffer
		if err := encoder.WriteSafetensors(&b, tensors, nil); err == nil || b.Len() > 0 {
			t.Errorf("%v: %v, %d bytes written", tensors, err, b.Len())
		}
	}
}

func FuzzReadSafetensors(f *testing.F) {
	f.Add(file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"__metadata__":{"format":"pt"}}`, 8))
	f.Add(file(`{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"b":{"dtype":"BF16","shape":[1,1],"data_offsets":[0,2]}}`, 2))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s *encoder.Safetensors
		var err error
		fuzztest.Bounded(t, func() { s, err = encoder.ReadSafetensors(bytes.NewReader(data), int64(len(data))) })
		if err != nil {
			return
		}
		// What is accepted can be written, and read again with the same content.
		var b bytes.Buffer
		if err := encoder.WriteSafetensors(&b, s.Tensors, s.Metadata); err != nil {
			t.Fatal(err)
		}
		again, err := encoder.ReadSafetensors(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil || len(again.Tensors) != len(s.Tensors) {
			t.Fatalf("%v", err)
		}
		for i := range s.Tensors {
			if !bytes.Equal(s.Tensors[i].Data, again.Tensors[i].Data) {
				t.Fatalf("%s changed", s.Tensors[i].Name)
			}
		}
	})
}
