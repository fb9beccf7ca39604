package train

import (
	"math/rand/v2"

	"github.com/sprint-ml/sprint/ml/bert"
)

// Hide says how words are hidden at random while training, so that the model
// leans on no single one (random deletion of arXiv 2305.14794). The zero value
// hides none.
type Hide struct {
	// Share is the probability of each word to be hidden, drawn anew for every
	// text and epoch.
	Share float64
	// Delete leaves the word out; else each of its tokens becomes [MASK].
	Delete bool
}

// hider hides words.
type hider struct {
	Hide
	with int32 // takes the place of hidden tokens
	// inside and fixed are of each token, as tokenize.Tokenizer.Parts has them.
	inside, fixed []bool
}

// newHider is nil if nothing is to be hidden. A vocabulary without [MASK] has
// its words left out.
func newHider(o Hide, m *bert.Model) *hider {
	if o.Share == 0 {
		return nil
	}
	h := &hider{Hide: o}
	h.inside, h.fixed = m.Tokenizer.Parts()
	var known bool
	if h.with, known = m.Tokenizer.ID("[MASK]"); !known {
		h.Delete = true
	}
	return h
}

// of returns a text without its hidden words. What is hidden hangs on the seed,
// the epoch and the example alone. One word stays at least.
func (h *hider) of(ids, types []int32, seed uint64, epoch, example int) (left, leftTypes []int32) {
	rng := rand.New(rand.NewPCG(seed^0x41d, uint64(epoch)<<32|uint64(example))) //nolint:gosec // reproducible on purpose
	words := 0
	for _, id := range ids {
		if h.begins(id) {
			words++
		}
	}
	spared := -1
	if words > 0 {
		spared = rng.IntN(words)
	}
	word, hidden := -1, false
	for i, id := range ids {
		switch {
		case h.begins(id):
			word++
			hidden = rng.Float64() < h.Share && word != spared
		case h.fixed[id]:
			hidden = false
		}
		if hidden {
			if h.Delete {
				continue
			}
			id = h.with
		}
		left = append(left, id)
		if i < len(types) {
			leftTypes = append(leftTypes, types[i])
		}
	}
	return left, leftTypes
}

// begins says whether a token is the first of a word that may be hidden.
func (h *hider) begins(id int32) bool { return !h.fixed[id] && !h.inside[id] }
