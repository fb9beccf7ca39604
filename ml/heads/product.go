package heads

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// lanes is what rows of numbers are padded to, with zeros: a kernel takes so many at once.
const lanes = 4

func padded(n int) int { return (n + lanes - 1) / lanes * lanes }

// Features are rows of numbers, the last of each a 1.
type Features struct {
	rows, dim, stride int
	data              []float64
}

func newFeatures(rows, dim int) *Features {
	return &Features{rows: rows, dim: dim, stride: padded(dim), data: make([]float64, rows*padded(dim))}
}

// Rows is the number of rows.
func (f *Features) Rows() int { return f.rows }

// row is padded by zeros.
func (f *Features) row(i int) []float64 { return f.data[i*f.stride : (i+1)*f.stride : (i+1)*f.stride] }

// Weights are those of heads, by output and then by feature.
type Weights struct {
	Outputs, Dim   int
	padded, stride int // outputs and features with their padding
	data           []float64
}

func newWeights(outputs, dim int) *Weights {
	w := &Weights{Outputs: outputs, Dim: dim, padded: padded(outputs), stride: padded(dim)}
	w.data = make([]float64, w.padded*w.stride)
	return w
}

func (w *Weights) row(k int) []float64 { return w.data[k*w.stride : (k+1)*w.stride : (k+1)*w.stride] }

// Of are the weights of an output, the bias last.
func (w *Weights) Of(output int) []float64 { return w.row(output)[:w.Dim] }

// logits are those of two rows, by row and padded output.
func (w *Weights) logits(first, second, into []float64) {
	for k := 0; k < w.padded; k += lanes {
		dots(first, second, w.data[k*w.stride:], w.stride, four(into[k:]), four(into[w.padded+k:]))
	}
}

func four(x []float64) *[lanes]float64 { return (*[lanes]float64)(x) }

// add adds two rows, each times its factor of an output, to the weights of each output;
// factors are as logits.
func (w *Weights) add(first, second, factors []float64) {
	for k := 0; k < w.padded; k += lanes {
		axpys(first, second, w.data[k*w.stride:], w.stride, four(factors[k:]), four(factors[w.padded+k:]))
	}
}

// sumWeights adds up parts, in their order, into the first.
func sumWeights(parts []*Weights) *Weights {
	sum := parts[0]
	for _, p := range parts[1:] {
		for i, x := range p.data {
			sum.data[i] += x
		}
	}
	return sum
}

// Logits are those of some rows, by row and output: only these of into are written, which
// has all rows.
func (w *Weights) Logits(f *Features, rows []int, into []float64) {
	inParallel(chunks(len(rows)), func(c int) {
		out, none := make([]float64, 2*w.padded), make([]float64, f.stride)
		part := chunk(rows, c)
		for len(part) > 0 {
			n, second := min(2, len(part)), none
			if n == 2 {
				second = f.row(part[1])
			}
			w.logits(f.row(part[0]), second, out)
			for r := range n {
				copy(into[part[r]*w.Outputs:(part[r]+1)*w.Outputs], out[r*w.padded:])
			}
			part = part[n:]
		}
	})
}

// gramRows is how many rows are added to a whole matrix at a time.
const gramRows = 128

// gram is h·Z'WZ over some rows, in its lower triangle.
func (f *Features) gram(rows []int, weight []float64, h float64) *matrix {
	m, none := newMatrix(f.dim), make([]float64, f.stride)
	tiles := m.stride / lanes
	groups := (tiles + tileGroup - 1) / tileGroup
	inParallel(groups, func(group int) {
		for left := rows; len(left) > 0; left = left[min(gramRows, len(left)):] {
			for tile := group; tile < tiles; tile += groups { // wide and narrow ones
				f.gramTile(m, tile*lanes, left[:min(gramRows, len(left))], weight, h, none)
			}
		}
	})
	return m
}

// tileGroup is how many tiles of a matrix one worker fills together.
const tileGroup = 16

// gramTile adds rows to lanes rows of the matrix, from a on.
func (f *Features) gramTile(m *matrix, a int, rows []int, weight []float64, h float64, none []float64) {
	width := a + lanes
	factors := func(row int) (w [lanes]float64) {
		for j, x := range f.row(row)[a:width] {
			w[j] = h * weight[row] * x
		}
		return w
	}
	for ; len(rows) > 0; rows = rows[min(2, len(rows)):] {
		one, second, two := factors(rows[0]), none, [lanes]float64{}
		if len(rows) > 1 {
			second, two = f.row(rows[1]), factors(rows[1])
		}
		axpys(f.row(rows[0])[:width], second[:width], m.data[a*m.stride:], m.stride, &one, &two)
	}
}

// Rows are worked on in blocks, which stay in the cache, and summed in chunks of blocks, one
// after the other. Neither hangs on the number of cores, so the order of a sum does not.
const (
	blockRows   = 32
	chunkBlocks = 8
	chunkRows   = blockRows * chunkBlocks
)

func blocks(n int) int { return (n + blockRows - 1) / blockRows }
func chunks(n int) int { return (n + chunkRows - 1) / chunkRows }

func chunk(rows []int, c int) []int { return rows[c*chunkRows : min((c+1)*chunkRows, len(rows))] }

// inParallel calls do for 0 to n-1, on all cores.
func inParallel(n int, do func(i int)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	if workers <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wait.Wait()
}
