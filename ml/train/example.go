package train

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
)

// Example is one row to learn from. Score, Tag and the weights have one entry
// per category; a weight of 0 masks its target.
type Example struct {
	IDs, Types []int32
	// Alt is the text with its rules' words masked out, used instead of IDs with
	// probability Options.AltProb; nil is none.
	Alt, AltTypes []int32
	Score         []float32
	Tag           []int32
	Weight        []float32 // of the score
	TagWeight     []float32 // of the tag; nil is that of the score
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
