package similarity

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestViewsHaveNoScale: how near all texts of an encoder lie to each other changes no
// probability: those of e5, whose cosines are 0.9 and more, are as sure as others.
func TestViewsHaveNoScale(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const width = 16
	draw := func(n int, common float64) (out [][]float32) {
		for range n {
			v := make([]float32, width)
			for j := range v {
				v[j] = float32(rng.NormFloat64() + common)
			}
			out = append(out, v)
		}
		return out
	}
	near := func(common float64) []float64 {
		rng = rand.New(rand.NewPCG(1, 2))
		described, set := draw(3, common), draw(200, common)
		v := New(described, []int{0, 1, 2}, 3)
		return v.Near(set[7], RowsMiddle(set, v.Middle))
	}
	plain, shifted := near(0), near(10) // cosines around 0, and above 0.98
	for c := range plain {
		if math.Abs(plain[c]-shifted[c]) > 1e-4 {
			t.Errorf("class %d: %g, and %g where all texts are alike", c, plain[c], shifted[c])
		}
	}
	if c, p := Likeliest([]float64{0.1, 0.4, 0.1}, 0.05); c != 1 || p < 0.99 {
		t.Errorf("%d with %g", c, p)
	}
	if _, p := Likeliest([]float64{0.4, 0.4}, 0.05); p != 0.5 {
		t.Errorf("two equal ones: %g", p)
	}
}

// TestOneRow: a stage of one row, or of many equal ones, has a middle too.
func TestOneRow(t *testing.T) {
	described := [][]float32{{1, 0}, {0, 1}}
	v := New(described, []int{0, 1}, 2)
	for _, n := range []int{1, 20000} {
		set := make([][]float32, n)
		for i := range set {
			set[i] = []float32{0.9, 0.1}
		}
		if c, p := Likeliest(v.Near(set[0], RowsMiddle(set, v.Middle)), 0.05); c != 0 || !(p > 0.9) {
			t.Errorf("%d rows: class %d with %g", n, c, p)
		}
	}
}
