package kernel_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sprint-ml/sprint/ml/kernel"
)

func numbers(rng *rand.Rand, n int, scale float64) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(rng.NormFloat64() * scale)
	}
	return out
}

func gelu(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }

// need skips what a processor without kernels cannot try.
func need(t testing.TB) {
	if !kernel.Available() {
		t.Skip("this processor has no kernels")
	}
}

// TestMultiply compares with sums in float64, in odd strides and for a width that is no
// multiple of a panel's.
func TestMultiply(t *testing.T) {
	need(t)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, d := range []struct{ rows, in, out int }{{12, 1, 32}, {24, 37, 96}, {12, 384, 50}, {36, 128, 64}, {4, 3, 32}, {8, 65, 64}, {20, 40, 32}} {
		x, w, bias := numbers(rng, d.rows*(d.in+3), 1), numbers(rng, d.in*d.out, 0.1), numbers(rng, d.out, 1)
		p := kernel.Pack(w, bias, d.in, d.out)
		for _, withGELU := range []bool{false, true} {
			ldd := p.Out + 5
			got := make([]float32, d.rows*ldd)
			p.Multiply(got, x, d.rows, d.in+3, ldd, 0, p.Panels(), p.Panels(), withGELU)
			for r := range d.rows {
				for c := range d.out {
					want := float64(bias[c])
					for k := range d.in {
						want += float64(x[r*(d.in+3)+k]) * float64(w[k*d.out+c])
					}
					if withGELU {
						want = gelu(want)
					}
					if y := float64(got[r*ldd+c]); !(math.Abs(y-want) <= 2e-6*(1+math.Abs(want))) {
						t.Fatalf("%v, GELU %v: row %d column %d is %v, not %v", d, withGELU, r, c, y, want)
					}
				}
				if rest := got[r*ldd+p.Out : (r+1)*ldd]; slices.Max(rest) != 0 || slices.Min(rest) != 0 {
					t.Fatalf("%v: written beyond the columns: %v", d, rest)
				}
			}
		}
	}
}

// TestSameBytes holds that a row's result does not depend on its place.
func TestSameBytes(t *testing.T) {
	need(t)
	rng := rand.New(rand.NewPCG(3, 4))
	row, w := numbers(rng, 64, 1), kernel.Pack(numbers(rng, 64*64, 1), nil, 64, 64)
	x := numbers(rng, 32*64, 1)
	var want []float32
	for r := range 32 {
		y, out := slices.Clone(x), make([]float32, 32*64)
		copy(y[r*64:], row)
		w.Multiply(out, y, 32, 64, 64, 0, 2, 2, true)
		if got := out[r*64 : (r+1)*64]; want == nil {
			want = got
		} else if !slices.Equal(got, want) {
			t.Fatalf("place %d: %v, first %v", r, got, want)
		}
	}
}

func TestGELUFarOut(t *testing.T) {
	need(t)
	xs := []float32{0, 1e-30, -1e-30, 1, -1, 3, -3, 5.5, -5.5, 6, -6, 40, -40, 1e30, -1e30}
	w := kernel.Pack(make([]float32, 32), append(xs, make([]float32, 32-len(xs))...), 1, 32)
	out := make([]float32, 12*32)
	w.Multiply(out, make([]float32, 12), 12, 1, 32, 0, 1, 1, true)
	for i, x := range xs {
		want := gelu(float64(x))
		if d := math.Abs(float64(out[i]) - want); !(d <= 5e-7*max(1, math.Abs(float64(x)))) {
			t.Errorf("gelu(%v) = %v, not %v", x, out[i], want)
		}
	}
}

func TestSoftmax(t *testing.T) {
	need(t)
	rng := rand.New(rand.NewPCG(5, 6))
	for n := 1; n < 70; n++ {
		for _, scale := range []float64{1, 30, 1000} {
			x := numbers(rng, 72, scale)
			want, sum, most := make([]float64, n), 0.0, float64(slices.Max(x[:n]))
			for i := range want {
				want[i] = math.Exp((float64(x[i]) - most) * 0.25)
				sum += want[i]
			}
			kernel.Softmax(x, n, 0.25)
			for i := range want {
				// The argument itself is rounded.
				if d := math.Abs(float64(x[i]) - want[i]/sum); !(d <= (1e-6-1e-7*math.Log(want[i]+1e-300))*want[i]/sum+1e-37) {
					t.Fatalf("%d numbers: share %d is %v, not %v", n, i, x[i], want[i]/sum)
				}
			}
		}
	}
}

func TestAddNorm(t *testing.T) {
	need(t)
	rng := rand.New(rand.NewPCG(7, 8))
	for _, n := range []int{8, 384, 1024} {
		x, y, gain, bias := numbers(rng, n, 1), numbers(rng, n, 2), numbers(rng, n, 1), numbers(rng, n, 1)
		mean, spread := 0.0, 0.0
		for i := range n {
			mean += float64(x[i]+y[i]) / float64(n)
		}
		for i := range n {
			d := float64(x[i]+y[i]) - mean
			spread += d * d / float64(n)
		}
		got := slices.Clone(x)
		kernel.AddNorm(got, got, y, gain, bias, 1e-12)
		for i := range n {
			want := (float64(x[i]+y[i])-mean)/math.Sqrt(spread)*float64(gain[i]) + float64(bias[i])
			if !(math.Abs(float64(got[i])-want) <= 5e-6) {
				t.Fatalf("%d numbers: the %d. is %v, not %v", n, i, got[i], want)
			}
		}
	}
}

// BenchmarkMultiply is of feed-forward layers of MiniLM on one core, in GFLOP/s: of the rows
// of many texts, and of those of one, where weights come from farther away than the core's own
// memory.
func BenchmarkMultiply(b *testing.B) {
	need(b)
	for _, rows := range []int{24, 96, 192} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(9, 9))
			const in, out = 384, 1536
			x, y := numbers(rng, rows*in, 1), make([]float32, rows*out)
			var layers []*kernel.Weights
			for range 8 {
				layers = append(layers, kernel.Pack(numbers(rng, in*out, 1), nil, in, out))
			}
			products := 0
			for b.Loop() {
				w := layers[products%len(layers)]
				w.Multiply(y, x, rows, in, out, 0, w.Panels(), w.Panels(), false)
				products++
			}
			b.ReportMetric(2*float64(rows)*in*out*float64(products)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
		})
	}
}
