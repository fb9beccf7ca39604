package encoder

import (
	"encoding/binary"
	"fmt"
	"math"
)

// dtypeHalf is the format's name of IEEE 754's binary16.
const dtypeHalf = "F16"

// Fields of a binary16 and of a binary32.
const (
	halfFraction, halfExponent = 1<<10 - 1, 31
	widerFraction              = 23 - 10
	widerBias                  = 127 - 15
)

// Halves is a tensor's numbers as F16, each rounded to the nearest, of two equally near to the
// even one. A number that is too large for it is an error.
func Halves(t Tensor) (Tensor, error) {
	data, err := t.Float32()
	if err != nil {
		return t, err
	}
	out := Tensor{Name: t.Name, DType: dtypeHalf, Shape: t.Shape, Data: make([]byte, 0, 2*len(data))}
	for i, x := range data {
		h := toHalf(x)
		if h>>10&halfExponent == halfExponent {
			return t, fmt.Errorf("tensor %s holds %v at place %d, which fp16 cannot", t.Name, x, i)
		}
		out.Data = binary.LittleEndian.AppendUint16(out.Data, h)
	}
	return out, nil
}

// RoundHalf rounds numbers to those that F16 has, in place; too large ones become infinite.
func RoundHalf(data []float32) {
	for i, x := range data {
		data[i] = fromHalf(toHalf(x))
	}
}

// halvesToFloat32 reads the data of an F16 tensor.
func halvesToFloat32(data []byte) []float32 {
	out := make([]float32, len(data)/2)
	for i := range out {
		out[i] = fromHalf(binary.LittleEndian.Uint16(data[2*i:]))
	}
	return out
}

func fromHalf(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10&halfExponent), uint32(h&halfFraction)
	switch exponent {
	case 0: // fractions of the smallest number
		x := float32(fraction) / (1 << 24)
		return math.Float32frombits(math.Float32bits(x) | sign)
	case halfExponent:
		return math.Float32frombits(sign | 0xff<<23 | fraction<<widerFraction)
	}
	return math.Float32frombits(sign | (exponent+widerBias)<<23 | fraction<<widerFraction)
}

func toHalf(x float32) uint16 {
	b := math.Float32bits(x)
	sign, exponent, fraction := uint16(b>>31)<<15, int(b>>23&0xff)-widerBias, b&(1<<23-1)
	switch {
	case exponent == 0xff-widerBias && fraction != 0:
		return sign | halfExponent<<10 | 1
	case exponent >= halfExponent:
		return sign | halfExponent<<10
	case exponent < -10:
		return sign
	case exponent <= 0: // below the smallest normal number
		return sign | uint16(rounded(fraction|1<<23, widerFraction+1-exponent)) //nolint:gosec // at most 1<<10
	}
	// A fraction that is rounded up to the next power of two carries into the exponent.
	return sign + uint16(uint32(exponent)<<10+rounded(fraction, widerFraction)) //nolint:gosec // at most 31<<10
}

// rounded is v / 2^n, halves to the even number.
func rounded(v uint32, n int) uint32 {
	q, rest, half := v>>n, v&(1<<n-1), uint32(1)<<(n-1)
	if rest > half || rest == half && q&1 == 1 {
		q++
	}
	return q
}
