package heads

import "math"

// matrix is square and symmetric; its lower triangle is kept, rows padded by zeros.
type matrix struct {
	dim, stride int
	data        []float64 // dim padded rows
}

func newMatrix(dim int) *matrix {
	return &matrix{dim: dim, stride: padded(dim), data: make([]float64, padded(dim)*padded(dim))}
}

func (m *matrix) row(i int) []float64 { return m.data[i*m.stride : (i+1)*m.stride : (i+1)*m.stride] }

// cholesky is a lower triangle L with L·L' a matrix.
type cholesky struct{ l *matrix }

// factorise takes over a positive definite matrix. Rows are made in groups of lanes: all
// before them are known.
func factorise(m *matrix) *cholesky {
	var out, unused [lanes]float64
	none := make([]float64, m.stride)
	for i := 0; i < m.dim; i += lanes {
		n := min(lanes, m.dim-i)
		for r := range n { // what stood over the diagonal is no part of the sums
			clear(m.row(i + r)[i+r+1:])
		}
		// Columns before the group, then those in it one by one.
		for j := range i + n {
			width := j / lanes * lanes
			dots(m.row(j)[:width], none, m.data[i*m.stride:], m.stride, &out, &unused)
			at := m.row(j)
			for r := max(0, j-i); r < n; r++ {
				row := m.row(i + r)
				x := row[j] - out[r]
				for q := width; q < j; q++ {
					x -= row[q] * at[q]
				}
				if j == i+r {
					row[j] = math.Sqrt(x)
				} else {
					row[j] = x / at[j]
				}
			}
		}
	}
	return &cholesky{m}
}

// solve puts the solution for each output's weights into their place.
func (c *cholesky) solve(w *Weights) {
	for k := 0; k < w.padded; k += lanes {
		c.solveFour(w, k)
	}
}

// solveFour solves for the outputs from k on.
func (c *cholesky) solveFour(w *Weights, k int) {
	var out, factors, unused [lanes]float64
	none, four := make([]float64, c.l.stride), w.data[k*w.stride:]
	for i := range c.l.dim { // L·y = w
		row, width := c.l.row(i), i/lanes*lanes
		dots(row[:width], none, four, w.stride, &out, &unused)
		for r := range lanes {
			y := w.row(k + r)
			x := y[i] - out[r]
			for q := width; q < i; q++ {
				x -= row[q] * y[q]
			}
			y[i] = x / row[i]
		}
	}
	for i := c.l.dim - 1; i >= 0; i-- { // L'·x = y
		row, width := c.l.row(i), i/lanes*lanes
		for r := range lanes {
			y := w.row(k + r)
			y[i] /= row[i]
			for q := width; q < i; q++ {
				y[q] -= row[q] * y[i]
			}
			factors[r] = -y[i]
		}
		axpys(row[:width], none, four, w.stride, &factors, &unused)
	}
}
