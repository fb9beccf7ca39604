package train

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
)

// Example is one row to learn from. Tag and its weight have one entry per category,
// Score and its weight one per output of the model; a weight of 0 masks its target. In
// single models the scores are probabilities that sum to 1.
type Example struct {
	IDs, Types []int32
	// Alt is the text with its rules' words masked out, used instead of IDs with
	// probability Options.AltProb; nil is none.
	Alt, AltTypes []int32
	Score         []float32
	Tag           []int32
	Weight        []float32 // of the score
	TagWeight     []float32 // of the tag; nil is that of the score, but not in single models
}

// tagWeight is the weight of each category's tag.
func (e Example) tagWeight() []float32 {
	if e.TagWeight == nil {
		return e.Weight
	}
	return e.TagWeight
}

func lengths(examples []Example) []int {
	out := make([]int, len(examples))
	for i, e := range examples {
		out[i] = max(len(e.IDs), len(e.Alt))
	}
	return out
}

// digest is of everything in the examples that a step depends on.
func digest(sets ...[]Example) string {
	h := sha256.New()
	for _, set := range sets {
		writeNumbers(h, []int32{int32(len(set))}) //nolint:gosec // sets are far smaller
		for _, e := range set {
			for _, ids := range [][]int32{e.IDs, e.Types, e.Alt, e.AltTypes, e.Tag} {
				writeNumbers(h, []int32{int32(len(ids))}) //nolint:gosec // texts are short
				writeNumbers(h, ids)
			}
			writeNumbers(h, e.Score)
			writeNumbers(h, e.Weight)
			writeNumbers(h, e.tagWeight())
		}
	}
	return fmt.Sprintf("sha256:%x", h.Sum(nil))
}

func writeNumbers[T int32 | float32](h hash.Hash, v []T) {
	_ = binary.Write(h, binary.LittleEndian, v) // a hash takes everything
}

// collated is a batch as arrays that a program takes; see bert.Packed.
type collated struct {
	ids, types, positions, owner []int32 // [R,L]
	first                        []int32 // [N]
	score, weight, tagWeight     []float32
	tag                          []int32 // [N,K]
	states                       []float32
	tokens                       int // real ones
}

// collator makes arrays of examples.
type collator struct {
	examples   []Example
	categories int
	outputs    int // scores of a text
	vocab      func(int32) int32
	// alt says whether the example's Alt is used, if it has one.
	alt func(example int) bool
	// dropWords leaves out words of a text; nil leaves it as it is.
	dropWords func(ids, types []int32, example int) (left, leftTypes []int32)
	// states gives the frozen layers' output for an example, [tokens,hidden]; nil
	// computes them.
	states func(example int, alt bool) []float32
	hidden int
}

// collate lays rows of examples, by index, out in a shape.
func (s collator) collate(shape Shape, rows [][]int) collated {
	n := shape.tokens()
	a := collated{
		owner: make([]int32, n), first: make([]int32, shape.Texts),
		score: make([]float32, shape.Texts*s.outputs), weight: make([]float32, shape.Texts*s.outputs),
		tagWeight: make([]float32, shape.Texts*s.categories),
		tag:       make([]int32, shape.Texts*s.categories),
	}
	if s.states != nil {
		a.states = make([]float32, n*s.hidden)
	} else {
		a.ids, a.types, a.positions = make([]int32, n), make([]int32, n), make([]int32, n)
		pad := s.vocab(0)
		for i := range a.ids {
			a.ids[i] = pad
		}
	}
	for i := range a.owner {
		a.owner[i] = int32(shape.Texts) //nolint:gosec // batches are small
	}
	text := 0
	for r, row := range rows {
		at := r * shape.Length
		end := at + shape.Length
		for _, i := range row {
			e := s.examples[i]
			ids, types, alt := e.IDs, e.Types, e.Alt != nil && s.alt(i)
			if alt {
				ids, types = e.Alt, e.AltTypes
			}
			if s.dropWords != nil {
				ids, types = s.dropWords(ids, types, i)
			}
			ids = ids[:min(len(ids), end-at)]
			a.first[text] = int32(at) //nolint:gosec // batches are small
			if s.states != nil {
				copy(a.states[at*s.hidden:(at+len(ids))*s.hidden], s.states(i, alt))
			}
			for j, id := range ids {
				a.owner[at+j] = int32(text) //nolint:gosec // batches are small
				if s.states != nil {
					continue
				}
				a.ids[at+j], a.positions[at+j] = s.vocab(id), int32(j) //nolint:gosec // texts are short
				if j < len(types) {
					a.types[at+j] = types[j]
				}
			}
			copy(a.score[text*s.outputs:], e.Score)
			copy(a.weight[text*s.outputs:], e.Weight)
			copy(a.tag[text*s.categories:], e.Tag)
			copy(a.tagWeight[text*s.categories:], e.tagWeight())
			at += len(ids)
			a.tokens += len(ids)
			text++
		}
	}
	return a
}

func (t *Trainer) collator(examples []Example, alt func(int) bool, validation bool) collator {
	s := collator{examples: examples, categories: len(t.model.Spec.Categories), outputs: t.model.Spec.Outputs(), vocab: t.vocab.index, alt: alt, hidden: t.model.Spec.Encoder.HiddenSize}
	if t.cache != nil {
		s.states = t.cache.outputs(validation)
	}
	return s
}
