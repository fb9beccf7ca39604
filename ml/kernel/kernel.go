// Package kernel computes what a transformer encoder is made of, in float32 on one core:
// products with weights, attention's softmax, GELU and layer normalisation. Each number of a
// result is made by the same operations in the same order whatever rows stand beside it, on
// processors with AVX2 and with AVX-512 alike, so that equal rows give equal bytes.
//
// kernel.go has what runs in vectors and needs Available; rows.go what heads need beside it,
// number by number. Slices that are too short panic, as indexing does. It imports
// nothing of ours.
package kernel

import (
	"math"
	"unsafe"
)

const (
	// Rows is what rows are computed in multiples of: what holds rows has room for one.
	Rows = 4
	// Columns is what columns are computed in multiples of.
	Columns = 32
	// narrow is how many columns registers of eight numbers hold beside each other.
	narrow = Columns / 2
	// Tallest is how many rows are computed at once, where there are so many.
	Tallest = 12
	// floatBytes is the size of a number.
	floatBytes = 4
)

// Weights are a matrix [in,out] with a bias [out], packed into strips of as many columns as
// this processor computes at once, [out/width,in,width]: a product reads each from front to
// back.
type Weights struct {
	In, Out int
	width   int
	strips  []float32
	bias    []float32
}

// Pack packs a matrix [in,out] in row-major order; out is a multiple of Columns once
// columns of zeros are added. The bias may be nil.
func Pack(w, bias []float32, in, out int) *Weights {
	if wide() {
		return pack(w, bias, in, out, Columns)
	}
	return pack(w, bias, in, out, narrow)
}

func pack(w, bias []float32, in, out, width int) *Weights {
	all := (out + Columns - 1) / Columns * Columns
	p := &Weights{In: in, Out: all, width: width, strips: make([]float32, in*all), bias: make([]float32, all)}
	copy(p.bias, bias)
	for k := range in {
		row := w[k*out : (k+1)*out]
		for from := 0; from < out; from += width {
			copy(p.strips[(from/width*in+k)*width:], row[from:min(from+width, out)])
		}
	}
	return p
}

// Panels is the number of parts, of Columns columns each, that a product may be shared out by.
func (w *Weights) Panels() int { return w.Out / Columns }

// Multiply puts x·W+b into the columns of dst that belong to the panels from to to
// (exclusive): x [rows,≥In] with ldx numbers a row, dst [rows,≥Out] with ldd; rows is a
// multiple of Rows. gelu applies GELU to what it computed. The caller will compute the panels
// up to ahead next, which is to where it will not: their weights are asked from memory early.
func (w *Weights) Multiply(dst, x []float32, rows, ldx, ldd, from, to, ahead int, gelu bool) {
	if rows == 0 {
		return
	}
	_, _ = x[(rows-1)*ldx+w.In-1], dst[(rows-1)*ldd+w.Out-1]
	passes := (rows + Tallest - 1) / Tallest
	for p := from * Columns; p < to*Columns; p += Columns {
		for n := p; n < p+Columns; n += w.width {
			// All rows before the next strip: this one stays near to the core. The next one comes
			// from memory meanwhile, an equal part of it in each pass.
			b := w.strips[n*w.In:][:w.width*w.In]
			next, step := place(b), uintptr(0)
			if n+w.width < ahead*Columns {
				next, step = next+uintptr(len(b)*floatBytes), uintptr(w.width*floatBytes/passes)
			}
			for r := 0; r < rows; r += Tallest {
				tile(min(Tallest, rows-r), w.width, x[r*ldx:], ldx, b, w.width, w.In, dst[r*ldd+n:], ldd, w.bias[n:][:w.width], next, step)
				next += step * uintptr(w.In)
			}
		}
		if gelu {
			geluAVX2(&dst[p], uintptr(ldd)*floatBytes, rows, &geluTable[0])
		}
	}
}

// Product puts a·b into c for so many rows of a, a multiple of Rows that is no more than
// Tallest, and Columns columns of b: a [rows,≥k] with lda numbers a row, b [k,≥Columns] with
// ldb, c [rows,≥Columns] with ldc.
func Product(rows int, c []float32, ldc int, a []float32, lda int, b []float32, ldb, k int) {
	_, _, _ = a[(rows-1)*lda+k-1], b[(k-1)*ldb+Columns-1], c[(rows-1)*ldc+Columns-1]
	if wide() {
		tile(rows, Columns, a, lda, b, ldb, k, c, ldc, zeros[:], place(b), 0)
		return
	}
	for n := 0; n < Columns; n += narrow {
		tile(rows, narrow, a, lda, b[n:], ldb, k, c[n:], ldc, zeros[n:], place(b), 0)
	}
}

// place is where a slice begins.
func place(s []float32) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(s))) }

// zeros is the bias of a product without one.
var zeros [Columns]float32

// tile computes 4, 8 or 12 rows of Columns or narrow columns; k is above 0. With each of the k
// the processor is told of what it will need, from next on, step bytes further each time; where
// that lies does not change a result.
func tile(rows, width int, a []float32, lda int, b []float32, ldb, k int, c []float32, ldc int, bias []float32, next, step uintptr) {
	la, lb, lc := uintptr(lda)*floatBytes, uintptr(ldb)*floatBytes, uintptr(ldc)*floatBytes
	if width == Columns {
		switch rows {
		case 12:
			tile12AVX512(&a[0], la, &b[0], lb, k, &c[0], lc, &bias[0], next, step)
		case 8:
			tile8AVX512(&a[0], la, &b[0], lb, k, &c[0], lc, &bias[0], next, step)
		default:
			tile4AVX512(&a[0], la, &b[0], lb, k, &c[0], lc, &bias[0], next, step)
		}
		return
	}
	if rows == 12 {
		tile6AVX2(&a[0], la, &b[0], lb, k, &c[0], lc, &bias[0], next, step)
		tile6AVX2(&a[6*lda], la, &b[0], lb, k, &c[6*ldc], lc, &bias[0], next, step)
		return
	}
	tile4AVX2(&a[0], la, &b[0], lb, k, &c[0], lc, &bias[0], next, step)
	if rows == 8 {
		tile4AVX2(&a[4*lda], la, &b[0], lb, k, &c[4*ldc], lc, &bias[0], next, step)
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
