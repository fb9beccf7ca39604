package heads

import (
	"context"
	"math"
)

// The solver's numbers. After 60 steps probabilities lie within 1e-5 of the optimum.
const (
	maxSteps     = 60
	enough       = 1e-4 // change of a weight at which it stops
	biasStrength = 1e-4 // of the regulariser on the bias, which is all but free
)

// problem is one head, or several logistic ones whose rows have the same weights.
type problem struct {
	z       *Features
	rows    []int     // that count
	target  []float64 // by row of z and output
	weight  []float64 // by row of z
	outputs int
	single  bool // one softmax; else logistic
	c       float64
}

// bound is the factorised bound of the Hessian: h·Z'WZ and the regulariser.
// Böhning's h, 1/2 of a softmax and 1/4 of a logistic, bounds it at every point
// (Böhning 1992), so that it is factorised once.
func (p *problem) bound() *cholesky {
	h := 0.25
	if p.single {
		h = 0.5
	}
	m := p.z.gram(p.rows, p.weight, h)
	for j := range p.z.dim {
		m.row(j)[j] += p.strength(j)
	}
	return factorise(m)
}

// strength is that of the regulariser on the weight of a feature.
func (p *problem) strength(feature int) float64 {
	if feature == p.z.dim-1 {
		return biasStrength
	}
	return 1 / p.c
}

// solve minimises the cross entropy and the regulariser: Newton's steps with the bound in
// the Hessian's place, and Nesterov's momentum, which begins anew when it points uphill
// (O'Donoghue and Candès, arXiv 1204.3982). There is no step size and no line search.
func (p *problem) solve(ctx context.Context, h *cholesky) (*Weights, error) {
	w, v, next := newWeights(p.outputs, p.z.dim), newWeights(p.outputs, p.z.dim), newWeights(p.outputs, p.z.dim)
	s := 1.0
	for range maxSteps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		g := p.gradient(v)
		h.solve(g)
		uphill := 0.0
		for k := range p.outputs {
			a, b, d, n := v.row(k), w.row(k), g.row(k), next.row(k)
			for j := range p.z.dim {
				n[j] = a[j] - d[j]
				uphill += (a[j] - n[j]) * (n[j] - b[j])
			}
		}
		if uphill > 0 {
			s = 1
		}
		u := (1 + math.Sqrt(1+4*s*s)) / 2
		far := 0.0
		for k := range p.outputs {
			a, b, n := v.row(k), w.row(k), next.row(k)
			for j := range p.z.dim {
				d := n[j] - b[j]
				a[j] = n[j] + (s-1)/u*d
				far = max(far, math.Abs(d))
			}
		}
		w, next, s = next, w, u
		if far < enough {
			break
		}
	}
	return w, nil
}

// gradient is that of the whole loss at v.
func (p *problem) gradient(v *Weights) *Weights {
	parts := make([]*Weights, chunks(len(p.rows)))
	inParallel(len(parts), func(c int) {
		parts[c] = newWeights(p.outputs, p.z.dim)
		p.gradientOf(v, chunk(p.rows, c), parts[c])
	})
	g := sumWeights(parts)
	if g == nil {
		g = newWeights(p.outputs, p.z.dim)
	}
	for k := range p.outputs {
		d, x := g.row(k), v.row(k)
		for j := range p.z.dim {
			d[j] += p.strength(j) * x[j]
		}
	}
	return g
}

// gradientOf adds the gradient of some rows, two at a time.
func (p *problem) gradientOf(v *Weights, rows []int, g *Weights) {
	logits, none := make([]float64, 2*v.padded), make([]float64, p.z.stride)
	for len(rows) > 0 {
		n := min(2, len(rows))
		first, second := p.z.row(rows[0]), none
		if n == 2 {
			second = p.z.row(rows[1])
		}
		v.logits(first, second, logits)
		for r := range 2 {
			out := logits[r*v.padded : (r+1)*v.padded]
			if r >= n {
				clear(out)
				continue
			}
			p.residual(rows[r], out)
		}
		g.add(first, second, logits)
		rows = rows[n:]
	}
}

// residual makes of a row's logits its weight times its error.
func (p *problem) residual(row int, out []float64) {
	if p.single {
		softmax(out[:p.outputs], out[:p.outputs])
	}
	t, w := p.target[row*p.outputs:(row+1)*p.outputs], p.weight[row]
	for k := range p.outputs {
		if !p.single {
			out[k] = sigmoid(out[k])
		}
		out[k] = w * (out[k] - t[k])
	}
	clear(out[p.outputs:])
}

// softmax makes probabilities of logits.
func softmax(logits, into []float64) {
	top := math.Inf(-1)
	for _, x := range logits {
		top = max(top, x)
	}
	sum := 0.0
	for k, x := range logits {
		into[k] = math.Exp(x - top)
		sum += into[k]
	}
	for k := range into {
		into[k] /= sum
	}
}

// farLogit is where a probability is as sure as a float64 shows.
const farLogit = 40

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-min(max(x, -farLogit), farLogit))) }
