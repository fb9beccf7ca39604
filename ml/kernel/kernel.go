// Package kernel computes what a transformer encoder is made of, in float32 on one core:
// products with weights, attention's softmax, GELU and layer normalisation. Each number of a
// result is made by the same operations in the same order whatever rows stand beside it, on
// processors with AVX2 and with AVX-512 alike, so that equal rows give equal bytes.
//
// kernel.go has what runs in vectors and needs Available; rows.go what heads need beside it,
// number by number. Slices that are too short panic, as indexing does. It imports
// nothing of ours.
package kernel

import "math"

const (
	// Rows is how many rows are computed at once: what holds rows has room for a
	// multiple of it.
	Rows = 12
	// Columns is the width of the panels that weights are packed into.
	Columns = 32
	// floatBytes is the size of a number.
	floatBytes = 4
)

// Weights are a matrix [in,out] with a bias [out], packed into panels of Columns columns,
// [out/Columns,in,Columns], which a product reads from front to back.
type Weights struct {
	In, Out int
	panels  []float32
	bias    []float32
}

// Pack packs a matrix [in,out] in row-major order; out is a multiple of Columns once
// columns of zeros are added. The bias may be nil.
func Pack(w, bias []float32, in, out int) *Weights {
	wide := (out + Columns - 1) / Columns * Columns
	p := &Weights{In: in, Out: wide, panels: make([]float32, in*wide), bias: make([]float32, wide)}
	copy(p.bias, bias)
	for k := range in {
		row := w[k*out : (k+1)*out]
		for from := 0; from < out; from += Columns {
			copy(p.panels[(from/Columns*in+k)*Columns:], row[from:min(from+Columns, out)])
		}
	}
	return p
}

// Panels is the number of panels.
func (w *Weights) Panels() int { return w.Out / Columns }

// Multiply puts x·W+b into the columns of dst that belong to the panels from to to
// (exclusive): x [rows,≥In] with ldx numbers a row, dst [rows,≥Out] with ldd; rows is a
// multiple of Rows. gelu applies GELU to what it computed.
func (w *Weights) Multiply(dst, x []float32, rows, ldx, ldd, from, to int, gelu bool) {
	if rows == 0 {
		return
	}
	_, _ = x[(rows-1)*ldx+w.In-1], dst[(rows-1)*ldd+w.Out-1]
	for p := from; p < to; p++ {
		b := w.panels[p*w.In*Columns:][:w.In*Columns]
		bias := w.bias[p*Columns:][:Columns]
		for r := 0; r < rows; r += Rows {
			c := dst[r*ldd+p*Columns:]
			tile(x[r*ldx:], ldx, b, Columns, w.In, c, ldd, bias)
			if gelu {
				geluAVX2(&c[0], uintptr(ldd)*floatBytes, Rows, &geluTable[0])
			}
		}
	}
}

// Product puts a·b into c for Rows rows of a and Columns columns of b: a [Rows,≥k] with lda
// numbers a row, b [k,≥Columns] with ldb, c [Rows,≥Columns] with ldc.
func Product(c []float32, ldc int, a []float32, lda int, b []float32, ldb, k int) {
	_, _, _ = a[(Rows-1)*lda+k-1], b[(k-1)*ldb+Columns-1], c[(Rows-1)*ldc+Columns-1]
	tile(a, lda, b, ldb, k, c, ldc, zeros[:])
}

// zeros is the bias of a product without one.
var zeros [Columns]float32

// tile is Product with a bias; k is above 0.
func tile(a []float32, lda int, b []float32, ldb, k int, c []float32, ldc int, bias []float32) {
	if wide() {
		tileAVX512(&a[0], uintptr(lda)*floatBytes, &b[0], uintptr(ldb)*floatBytes, k, &c[0], uintptr(ldc)*floatBytes, &bias[0])
		return
	}
	narrowTile(a, lda, b, ldb, k, c, ldc, bias)
}

// narrowTile is tile with AVX2, which holds a quarter of the results at a time.
func narrowTile(a []float32, lda int, b []float32, ldb, k int, c []float32, ldc int, bias []float32) {
	for r := 0; r < Rows; r += Rows / 2 {
		for n := 0; n < Columns; n += Columns / 2 {
			tileAVX2(&a[r*lda], uintptr(lda)*floatBytes, &b[n], uintptr(ldb)*floatBytes, k, &c[r*ldc+n], uintptr(ldc)*floatBytes, &bias[n])
		}
	}
}

// Softmax turns the first n numbers of x into shares that are in proportion to the
// exponential of each times scale, which is above 0. x has room for a multiple of eight; what
// is behind n becomes about 0.
func Softmax(x []float32, n int, scale float32) {
	eights := (n + 7) / 8
	x = x[:8*eights]
	for i := n; i < len(x); i++ {
		x[i] = -math.MaxFloat32 / 2
	}
	softmaxAVX2(&x[0], eights, scale, &expTable[0])
}

// AddNorm puts the layer normalisation of x+y into dst, all of the length of gain, which is a
// multiple of eight. dst may be x.
func AddNorm(dst, x, y, gain, bias []float32, eps float32) {
	n := len(gain)
	dst, x, y, bias = dst[:n], x[:n], y[:n], bias[:n]
	addNormAVX2(&dst[0], &x[0], &y[0], &gain[0], &bias[0], n/8, float32(n), eps)
}

// geluTable has the constants of GELU, x/2·(1+erf(x/√2)): 1/√2, the largest and the least
// argument of the quotient, by turns the coefficients of its numerator and denominator from
// the highest down, and 1/2. The quotient P(z²)/Q(z²) was fitted to erf(z)/z for |z| up to
// 3.9, beyond which erf is ±1 in float32; z·P/Q is within 4e-7 of erf in float32.
var geluTable = eightfold(
	1/math.Sqrt2, 3.9, -3.9,
	2.0514887637546053e-06, 3.823360020760447e-05,
	0.0002872964832931757, 0.0011800914071500301,
	0.0038302273023873568, 0.015096068382263184,
	0.052946798503398895, 0.1146947517991066,
	0.1917872130870819, 0.5032988786697388,
	1.128378987312317, 1,
	0.5,
)

// expTable has the constants of the exponential: the least argument, 1/ln 2, ln 2 in two
// parts, and the Taylor coefficients of orders 6 to 2 and 1 (which is that of order 0 too).
var expTable = eightfold(-87, 1/math.Ln2, 0.693359375, -2.12194440e-4, 1./720, 1./120, 1./24, 1./6, 0.5, 1)

// eightfold is a row of each number eight times.
func eightfold(numbers ...float32) [][8]float32 {
	out := make([][8]float32, len(numbers))
	for i, x := range numbers {
		for j := range out[i] {
			out[i][j] = x
		}
	}
	return out
}
