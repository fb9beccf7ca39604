package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestTileByEitherWidth: processors with AVX-512 and those without it give the same bytes.
func TestTileByEitherWidth(t *testing.T) {
	if !wide() {
		t.Skip("this processor has one width")
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for _, k := range []int{1, 2, 31, 384, 1537} {
		for rows := Rows; rows <= Tallest; rows += Rows {
			a, b, bias := make([]float32, rows*k), make([]float32, k*Columns), make([]float32, Columns)
			for _, s := range [][]float32{a, b, bias} {
				for i := range s {
					s[i] = rng.Float32() - 0.5
				}
			}
			one, other := make([]float32, rows*Columns), make([]float32, rows*Columns)
			pack(b, bias, k, Columns, Columns).Multiply(one, a, rows, k, Columns, 0, 1, 1, true)
			pack(b, bias, k, Columns, narrow).Multiply(other, a, rows, k, Columns, 0, 1, 1, true)
			if !slices.Equal(one, other) {
				t.Fatalf("%d rows, %d products a number: the widths differ", rows, k)
			}
		}
	}
}
