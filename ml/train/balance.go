package train

import (
	"math"
	"math/rand/v2"
)

// Rows of a category rarer than rare are repeated in an epoch, each as often
// as the root of rare/share, at most often times: repeat factor sampling (Gupta
// et al., arXiv 1908.03195). Within a category the same holds for tags that have
// less than an even share.
const (
	rareShare  = 0.2
	maxRepeats = 8
)

// Balance repeats the examples of rare categories and tags. A fraction of a
// repetition falls to a random part of them, the same in every epoch.
func Balance(examples []Example, texts []string, seed uint64) ([]Example, []string) {
	k := len(examples[0].Score)
	share, tags := make([]float64, k), make([]map[int32]float64, k)
	tagged := func(e Example, c int) bool { return c < len(e.TagWeight) && e.TagWeight[c] > 0 } // none has no tags
	for c := range k {
		tags[c] = map[int32]float64{}
		for _, e := range examples {
			if e.Score[c] > 0 && e.Weight[c] > 0 {
				share[c] += 1 / float64(len(examples))
				if tagged(e, c) {
					tags[c][e.Tag[c]]++
				}
			}
		}
	}
	even := make([]float64, k)
	for c, by := range tags {
		for _, n := range by {
			even[c] += n / float64(len(by))
		}
	}
	rng := rand.New(rand.NewPCG(seed, 0xba1)) //nolint:gosec // reproducible on purpose
	var out []Example
	var named []string
	for i, e := range examples {
		factor := 1.0
		for c, s := range e.Score {
			if s <= 0 || e.Weight[c] == 0 {
				continue
			}
			f := max(math.Sqrt(rareShare/share[c]), 1)
			if tagged(e, c) {
				f *= max(math.Sqrt(even[c]/tags[c][e.Tag[c]]), 1)
			}
			factor = max(factor, min(f, maxRepeats))
		}
		times := int(factor)
		if rng.Float64() < factor-float64(times) {
			times++
		}
		for range times {
			out, named = append(out, e), append(named, texts[i])
		}
	}
	return out, named
}
