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
	rows    []int     // that count, in ascending order
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

// solver is a problem on its way: Newton's steps with the bound in the Hessian's place,
// and Nesterov's momentum, which begins anew when it points uphill (O'Donoghue and Candès,
// arXiv 1204.3982). There is no step size and no line search.
type solver struct {
	p          *problem
	h          *cholesky
	w, v, next *Weights
	momentum   float64
	done       bool

	from  []int      // where the rows of a block begin in p.rows
	parts []*Weights // of the gradient, by chunk
}

func newSolver(p *problem, h *cholesky) *solver {
	s := &solver{p: p, h: h, momentum: 1, w: newWeights(p.outputs, p.z.dim), v: newWeights(p.outputs, p.z.dim), next: newWeights(p.outputs, p.z.dim)}
	at := 0
	for b := range blocks(p.z.rows) + 1 {
		for at < len(p.rows) && p.rows[at] < b*blockRows {
			at++
		}
		s.from = append(s.from, at)
	}
	for range chunks(p.z.rows) {
		s.parts = append(s.parts, newWeights(p.outputs, p.z.dim))
	}
	return s
}

// solve minimises the cross entropy and the regulariser of problems on the same features,
// each with its bound. They go in step, so that features are read from memory once for
// all of them.
func solve(ctx context.Context, problems []*problem, bounds []*cholesky) ([]*Weights, error) {
	all := make([]*solver, len(problems))
	for i, p := range problems {
		all[i] = newSolver(p, bounds[i])
	}
	for range maxSteps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var open []*solver
		for _, s := range all {
			if !s.done {
				open = append(open, s)
			}
		}
		if len(open) == 0 {
			break
		}
		gradients(open)
		inParallel(len(open), func(i int) { open[i].step() })
	}
	out := make([]*Weights, len(all))
	for i, s := range all {
		out[i] = s.w
	}
	return out, nil
}

// step goes down by the gradient in the first part.
func (s *solver) step() {
	g := s.gradient()
	s.h.solve(g)
	uphill := 0.0
	for k := range s.p.outputs {
		a, b, d, n := s.v.row(k), s.w.row(k), g.row(k), s.next.row(k)
		for j := range s.p.z.dim {
			n[j] = a[j] - d[j]
			uphill += (a[j] - n[j]) * (n[j] - b[j])
		}
	}
	if uphill > 0 {
		s.momentum = 1
	}
	u := (1 + math.Sqrt(1+4*s.momentum*s.momentum)) / 2
	far := 0.0
	for k := range s.p.outputs {
		a, b, n := s.v.row(k), s.w.row(k), s.next.row(k)
		for j := range s.p.z.dim {
			d := n[j] - b[j]
			a[j] = n[j] + (s.momentum-1)/u*d
			far = max(far, math.Abs(d))
		}
	}
	s.w, s.next, s.momentum, s.done = s.next, s.w, u, far < enough
}

// gradients puts the gradients of the loss at v into the parts.
func gradients(all []*solver) {
	z := all[0].p.z
	inParallel(chunks(z.rows), func(c int) {
		scratch := newScratch(z, all)
		for _, s := range all {
			clear(s.parts[c].data)
		}
		for b := c * chunkBlocks; b < min((c+1)*chunkBlocks, blocks(z.rows)); b++ {
			for _, s := range all {
				s.add(s.p.rows[s.from[b]:s.from[b+1]], s.parts[c], scratch)
			}
		}
	})
}

// scratch is what a worker needs beside the weights.
type scratch struct{ logits, none []float64 }

func newScratch(z *Features, all []*solver) *scratch {
	most := 0
	for _, s := range all {
		most = max(most, s.v.padded)
	}
	return &scratch{make([]float64, 2*most), make([]float64, z.stride)}
}

// gradient is that of the whole loss at v, of the parts.
func (s *solver) gradient() *Weights {
	g := sumWeights(s.parts)
	for k := range s.p.outputs {
		d, x := g.row(k), s.v.row(k)
		for j := range s.p.z.dim {
			d[j] += s.p.strength(j) * x[j]
		}
	}
	return g
}

// add adds the gradient of some rows, two at a time.
func (s *solver) add(rows []int, g *Weights, scratch *scratch) {
	width := s.v.padded
	for len(rows) > 0 {
		n := min(2, len(rows))
		first, second, logits := s.p.z.row(rows[0]), scratch.none, scratch.logits[:2*width]
		if n == 2 {
			second = s.p.z.row(rows[1])
		}
		s.v.logits(first, second, logits)
		s.p.residual(rows[0], logits[:width])
		if n == 2 {
			s.p.residual(rows[1], logits[width:])
		} else {
			clear(logits[width:])
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
