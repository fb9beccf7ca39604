package forward

import (
	"github.com/sprint-ml/sprint/ml/kernel"
)

// mostScratches is how many are kept for the next batches.
const mostScratches = 64

// scratch is what a batch is computed in; slices grow when a larger batch comes.
type scratch struct {
	x, qkv, seen, part, inner []float32 // [rows,H], [rows,3H], [rows,H] twice, [rows,F]
	sum                       []float32 // [H]
	starts                    []int     // the first row of each text, and the number of rows
	rooms                     []room    // of each worker of a gang
}

// sized is s with room for n numbers, whatever they are.
func sized(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}

// take gives a scratch that nobody uses.
func (e *Encoder) take() *scratch {
	select {
	case s := <-e.scratches:
		return s
	default:
		return &scratch{}
	}
}

// put gives it back.
func (e *Encoder) put(s *scratch) {
	select {
	case e.scratches <- s:
	default:
	}
}

// tokens is how many rows a text has: one at least.
func tokens(t Text, longest int) int { return min(max(len(t.IDs), 1), longest) }

// padded is the number of rows that a product computes for n.
func padded(n int) int { return (n + kernel.Rows - 1) / kernel.Rows * kernel.Rows }

// encode puts the vectors of texts into out [len(texts),H], on the workers of a gang. No text
// has more than longest tokens.
func (e *Encoder) encode(g *gang, texts []Text, longest int, out []float32) {
	s := e.take()
	defer e.put(s)
	h, f := e.config.HiddenSize, e.config.IntermediateSize
	s.starts = s.starts[:0]
	n := 0
	for _, t := range texts {
		s.starts = append(s.starts, n)
		n += tokens(t, longest)
	}
	s.starts = append(s.starts, n)
	rows := padded(n)
	// Products read rows up to a multiple of theirs, attention from any row on.
	s.x, s.seen, s.part = sized(s.x, rows*h), sized(s.seen, rows*h), sized(s.part, rows*h)
	s.qkv, s.inner, s.sum = sized(s.qkv, (rows+kernel.Rows)*3*h), sized(s.inner, rows*f), sized(s.sum, h)
	for len(s.rooms) < g.most() {
		s.rooms = append(s.rooms, room{})
	}
	for i, t := range texts {
		e.embed(s.x[s.starts[i]*h:], t, s.starts[i+1]-s.starts[i], s.sum)
	}
	clear(s.x[n*h : rows*h])
	for l := range e.layers {
		if e.first && l == len(e.layers)-1 {
			e.lastLayer(g, s, &e.layers[l], rows, len(texts))
			break
		}
		multiply(g, e.layers[l].qkv, s.qkv, s.x, rows, false)
		e.attend(g, s, len(texts), false)
		e.afterAttention(g, s, &e.layers[l], rows)
	}
	for i := range texts {
		v := out[i*h : (i+1)*h]
		switch {
		case e.first:
			copy(v, s.x[i*h:(i+1)*h])
		case len(texts[i].IDs) == 0:
			clear(v)
		default:
			mean(v, s.x[s.starts[i]*h:s.starts[i+1]*h])
		}
	}
}

// lastLayer is the last layer for the first token of each text alone, which is where x has
// them then.
func (e *Encoder) lastLayer(g *gang, s *scratch, l *layer, rows, texts int) {
	multiply(g, l.qkv, s.qkv, s.x, rows, false)
	e.attend(g, s, texts, true)
	h := e.config.HiddenSize
	for i := range texts {
		from := s.starts[i] * h // not below i*h: no row is overwritten before it is read
		copy(s.x[i*h:(i+1)*h], s.x[from:from+h])
		copy(s.seen[i*h:(i+1)*h], s.seen[from:from+h])
	}
	e.afterAttention(g, s, l, padded(texts))
}

// afterAttention is the rest of a layer, from what attention saw.
func (e *Encoder) afterAttention(g *gang, s *scratch, l *layer, rows int) {
	h, eps := e.config.HiddenSize, float32(e.config.LayerNormEps)
	norm := func(gain, bias []float32) {
		g.do(rows/kernel.Rows, func(_, i int) {
			for r := i * kernel.Rows; r < (i+1)*kernel.Rows; r++ {
				x := s.x[r*h : (r+1)*h]
				kernel.AddNorm(x, x, s.part[r*h:(r+1)*h], gain, bias, eps)
			}
		})
	}
	multiply(g, l.o, s.part, s.seen, rows, false)
	norm(l.attentionGain, l.attentionBias)
	multiply(g, l.up, s.inner, s.x, rows, true)
	multiply(g, l.down, s.part, s.inner, rows, false)
	norm(l.feedForwardGain, l.feedForwardBias)
}

// multiply shares out the panels of a product whose rows follow each other, neighbours
// together: a worker asks for the next one's weights ahead, one that is alone those of its next
// share too.
func multiply(g *gang, w *kernel.Weights, dst, x []float32, rows int, gelu bool) {
	panels := w.Panels()
	shares := min(panels, g.most()*sharesEach)
	if g.most() == 1 {
		shares = 1
	}
	g.do(shares, func(_, i int) {
		to := (i + 1) * panels / shares
		ahead := to
		if g.alone() {
			ahead = panels
		}
		w.Multiply(dst, x, rows, w.In, w.Out, i*panels/shares, to, ahead, gelu)
	})
}

// sharesEach is how many parts of a product there are for each worker: one that is late leaves
// most of its own to others.
const sharesEach = 6

// mean puts the mean of rows into v.
func mean(v, rows []float32) {
	clear(v)
	for from := 0; from < len(rows); from += len(v) {
		for j, x := range rows[from : from+len(v)] {
			v[j] += x
		}
	}
	n := float32(len(rows) / len(v))
	for j := range v {
		v[j] /= n
	}
}
