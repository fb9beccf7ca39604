package train

import (
	"math/rand/v2"

	"github.com/sprint-ml/sprint/ml/bert"
)

// WordDropout says how words are hidden at random while training, so that the model
// leans on no single one (random deletion of arXiv 2305.14794). The zero value
// hides none.
type WordDropout struct {
	// Rate is the probability of each word to be hidden, drawn anew for every
	// text and epoch. Checkpoints call it Share.
	Rate float64 `json:"Share"`
	// Delete leaves the word out; else each of its tokens becomes the one for hidden words.
	Delete bool
}

// wordDropout hides words of a fit's texts.
type wordDropout struct {
	WordDropout
	mask int32 // takes the place of hidden tokens
	// inside and fixed are of each token, as tokenize.Tokenizer.Parts has them.
	inside, fixed []bool
	// prompt is what every text begins with, the token before it too; none of it is hidden.
	prompt []int32
}

// newWordDropout is nil if nothing is to be hidden. A vocabulary without a token for
// hidden words has them left out.
func newWordDropout(o WordDropout, m *bert.Model) *wordDropout {
	if o.Rate == 0 {
		return nil
	}
	d := &wordDropout{WordDropout: o}
	d.inside, d.fixed = m.Tokenizer.Parts()
	if m.Spec.Prompt != "" {
		ids := m.Tokenizer.Encode(nil, m.Spec.Prompt, 0)
		d.prompt = ids[:len(ids)-1] // but for the token after a text
	}
	var known bool
	if d.mask, known = m.Tokenizer.ID(m.Tokenizer.Mask()); !known {
		d.Delete = true
	}
	return d
}

// apply returns a text without its hidden words. What is hidden depends on the seed,
// the epoch and the example alone. The prompt stays, and one word at least.
func (d *wordDropout) apply(ids, types []int32, seed uint64, epoch, example int) (left, leftTypes []int32) {
	rng := rand.New(rand.NewPCG(seed^wordDropoutStream, uint64(epoch)<<32|uint64(example))) //nolint:gosec // reproducible on purpose
	words, begin := 0, d.behindPrompt(ids)
	for _, id := range ids[begin:] {
		if d.beginsWord(id) {
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
		case i < begin:
		case d.beginsWord(id):
			word++
			hidden = rng.Float64() < d.Rate && word != spared
		case d.fixed[id]:
			hidden = false
		}
		if hidden {
			if d.Delete {
				continue
			}
			id = d.mask
		}
		left = append(left, id)
		if i < len(types) {
			leftTypes = append(leftTypes, types[i])
		}
	}
	return left, leftTypes
}

// behindPrompt is the place of the first token that is not the prompt's. Where the prompt's last
// word goes on in the text, the text's part of it stays too.
func (d *wordDropout) behindPrompt(ids []int32) int {
	n := 0
	for n < len(ids) && n < len(d.prompt) && ids[n] == d.prompt[n] {
		n++
	}
	return n
}

// beginsWord says whether a token is the first of a word that may be hidden.
func (d *wordDropout) beginsWord(id int32) bool { return !d.fixed[id] && !d.inside[id] }
