package heads

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Space are the axes of the features: vectors are centred on the rows that train, and
// one scale for all axes makes their mean squared length 1. Then one strength fits
// all encoders, also those whose vectors are all alike.
type Space struct {
	Mean  []float64
	Scale float64
}

// NewSpace is the space of some vectors, which must be of one length, finite, and not none.
func NewSpace(vectors [][]float32) (Space, error) {
	if err := checkVectors(vectors); err != nil {
		return Space{}, err
	}
	s := Space{Mean: make([]float64, len(vectors[0])), Scale: 1}
	n := float64(len(vectors))
	for _, v := range vectors {
		for j, x := range v {
			s.Mean[j] += float64(x)
		}
	}
	for j := range s.Mean {
		s.Mean[j] /= n
	}
	sum := 0.0
	for _, v := range vectors {
		for j, x := range v {
			d := float64(x) - s.Mean[j]
			sum += d * d
		}
	}
	if sum /= n; sum > leastSpread {
		s.Scale = 1 / math.Sqrt(sum)
	}
	return s, nil
}

// checkVectors refuses vectors of several lengths and those that are no numbers.
func checkVectors(vectors [][]float32) error {
	if len(vectors) == 0 {
		return errors.New("there are no rows to fit heads on")
	}
	for i, v := range vectors {
		if len(v) != len(vectors[0]) {
			return fmt.Errorf("the vector of row %d has %d numbers, that of row 0 %d", i, len(v), len(vectors[0]))
		}
		if slices.ContainsFunc(v, func(x float32) bool { return x-x != 0 }) {
			return fmt.Errorf("the vector of row %d is no number", i)
		}
	}
	return nil
}

// leastSpread is what rounding makes of vectors that are all the same.
const leastSpread = 1e-12

// Features are the vectors in the space, with a 1 behind each.
func (s Space) Features(vectors [][]float32) *Features {
	f := newFeatures(len(vectors), len(s.Mean)+1)
	for i, v := range vectors {
		row := f.row(i)
		for j, x := range v {
			row[j] = (float64(x) - s.Mean[j]) * s.Scale
		}
		row[len(v)] = 1
	}
	return f
}
