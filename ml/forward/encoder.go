// Package forward computes the vectors of texts with a BERT or RoBERTa encoder on the cores of
// this machine, by the products of package kernel: without padding, and without a program that
// has to be compiled for a shape.
//
// A vector is a function of weights and text alone, to the byte: whatever is computed with it,
// in which order, and on how many cores.
//
// encoder.go holds the weights, layers.go computes them for one batch of texts, attention.go
// the part in which tokens see each other; batch.go cuts many texts into batches for all cores,
// gang.go lets all cores compute one. It imports ml/kernel, and ml/encoder for the shape.
package forward

import (
	"fmt"
	"sync/atomic"

	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/kernel"
)

// Text is an encoded text: token ids, and type ids, 0 where there are fewer.
type Text struct{ IDs, Types []int32 }

// Param gives a parameter by its name, as bert.Param names and lays it out. It stays the
// encoder's to read.
type Param func(name string) []float32

// Encoder is an encoder's weights, those of its products packed. It is safe for concurrent use.
type Encoder struct {
	config                encoder.Config
	words, positions      []float32 // [V,H], [P,H]
	types                 []float32 // [T,H]
	normGain, normBias    []float32
	layers                []layer
	first                 bool
	scratches             chan *scratch // those that no batch uses
	calls                 atomic.Int32  // of Each that are at work
	heads, width, vectors int           // heads of so many numbers, in so many vectors of kernel.Columns
}

type layer struct {
	qkv, o, up, down                 *kernel.Weights
	attentionGain, attentionBias     []float32
	feedForwardGain, feedForwardBias []float32
}

// Fits reports whether this processor, and this package, can compute an encoder: none of rotary
// positions, as ModernBERT has.
func Fits(c encoder.Config) bool {
	return kernel.Available() && c.Rotary == nil && c.HiddenAct == "gelu" && c.HiddenSize%kernel.Columns == 0 && c.IntermediateSize%kernel.Columns == 0
}

// New packs the weights of an encoder that Fits. A text's vector is that of its first token
// where first says so, else the mean over its tokens.
func New(c encoder.Config, first bool, param Param) *Encoder {
	h, f := c.HiddenSize, c.IntermediateSize
	e := &Encoder{
		config: c, first: first, words: param("emb.word"), positions: param("emb.pos"), types: param("emb.type"),
		normGain: param("emb.ln.g"), normBias: param("emb.ln.b"), scratches: make(chan *scratch, mostScratches),
		heads: c.NumAttentionHeads, width: h / c.NumAttentionHeads,
	}
	e.vectors = (e.width + kernel.Columns - 1) / kernel.Columns
	for l := range c.NumHiddenLayers {
		p := func(name string) []float32 { return param(fmt.Sprintf("L%d.%s", l, name)) }
		e.layers = append(e.layers, layer{
			qkv: kernel.Pack(p("qkv.w"), p("qkv.b"), h, 3*h), o: kernel.Pack(p("o.w"), p("o.b"), h, h),
			up: kernel.Pack(p("ff1.w"), p("ff1.b"), h, f), down: kernel.Pack(p("ff2.w"), p("ff2.b"), f, h),
			attentionGain: p("ln1.g"), attentionBias: p("ln1.b"), feedForwardGain: p("ln2.g"), feedForwardBias: p("ln2.b"),
		})
	}
	return e
}

// embed puts the embeddings of a text's tokens into x [n,H], normalised. An id that the
// encoder does not have counts as the nearest that it has.
func (e *Encoder) embed(x []float32, t Text, n int, sum []float32) {
	h, from := e.config.HiddenSize, e.config.PositionOffset()
	for i := range n {
		kind := int32(0)
		if i < len(t.Types) {
			kind = t.Types[i]
		}
		id := int32(0)
		if i < len(t.IDs) {
			id = t.IDs[i]
		}
		word, place, of := row(e.words, id, h), row(e.positions, int32(from+i), h), row(e.types, kind, h) //nolint:gosec // a text is shorter than 1<<22 tokens
		for j := range sum {
			sum[j] = place[j] + of[j]
		}
		kernel.AddNorm(x[i*h:(i+1)*h], word, sum, e.normGain, e.normBias, float32(e.config.LayerNormEps))
	}
}

// row is one of a matrix with so many numbers a row.
func row(m []float32, i int32, width int) []float32 {
	at := min(max(int(i), 0), len(m)/width-1)
	return m[at*width:][:width]
}
