package forward

import (
	"math"

	"github.com/sprint-ml/sprint/ml/kernel"
)

// room is what one worker computes attention in.
type room struct {
	keys   []float32 // of a head, transposed into panels [n/Columns,width,Columns]
	values []float32 // of a head, [n,vectors*Columns]
	scores []float32 // [Tallest,n] with room for whole panels
	seen   []float32 // [Tallest,Columns]
}

// attend puts what each token of each text sees of its text's others into s.seen, from
// s.qkv; of the first token of each text alone where first says so.
func (e *Encoder) attend(g *gang, s *scratch, texts int, first bool) {
	g.do(texts*e.heads, func(worker, job int) {
		text := job / e.heads
		from, n := s.starts[text], s.starts[text+1]-s.starts[text]
		queries := n
		if first {
			queries = 1
		}
		e.attendHead(&s.rooms[worker], s, job%e.heads, from, n, queries)
	})
}

// attendHead is one head of attention of the n tokens of a text from row from on: what the
// first so many of them see.
func (e *Encoder) attendHead(r *room, s *scratch, head, from, n, queries int) {
	h, panels := e.config.HiddenSize, (n+kernel.Columns-1)/kernel.Columns
	wide := e.vectors * kernel.Columns
	r.keys, r.values = sized(r.keys, panels*kernel.Columns*e.width), sized(r.values, n*wide)
	r.scores, r.seen = sized(r.scores, kernel.Tallest*panels*kernel.Columns), sized(r.seen, kernel.Tallest*kernel.Columns)
	at := s.qkv[from*3*h+head*e.width:]
	for j := range n {
		key := at[j*3*h+h:][:e.width]
		column := r.keys[j/kernel.Columns*e.width*kernel.Columns+j%kernel.Columns:]
		for i, x := range key {
			column[i*kernel.Columns] = x
		}
	}
	values, stride := at[2*h:], 3*h
	if wide != e.width { // a product reads whole vectors
		values, stride = r.values, wide
		for j := range n {
			copy(values[j*wide:(j+1)*wide], at[j*3*h+2*h:][:e.width])
		}
	}
	scale, row := float32(1/math.Sqrt(float64(e.width))), panels*kernel.Columns
	for q := 0; q < queries; q += kernel.Tallest {
		rows := min(kernel.Tallest, padded(queries-q))
		for p := range panels {
			kernel.Product(rows, r.scores[p*kernel.Columns:], row, at[q*3*h:], 3*h, r.keys[p*kernel.Columns*e.width:], kernel.Columns, e.width)
		}
		for i := range min(kernel.Tallest, queries-q) {
			kernel.Softmax(r.scores[i*row:(i+1)*row], n, scale)
		}
		for v := range e.vectors {
			kernel.Product(rows, r.seen, kernel.Columns, r.scores, row, values[v*kernel.Columns:], stride, n)
			for i := range min(kernel.Tallest, queries-q) {
				to := s.seen[(from+q+i)*h+head*e.width+v*kernel.Columns:]
				copy(to[:min(kernel.Columns, e.width-v*kernel.Columns)], r.seen[i*kernel.Columns:])
			}
		}
	}
}
