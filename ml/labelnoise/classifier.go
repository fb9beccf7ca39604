package labelnoise

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode"
)

// features are hashed words, pairs of words and letter runs of 4 and 5 inside
// words, which carry compounds; each text's vector has length 1.
type features struct {
	at    []int32
	value []float32
}

// width is the number of hashed features.
const width = 1 << 18

func newFeatures(text string) features {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	count := map[int32]float32{}
	add := func(kind byte, s string) {
		h := uint64(14695981039346656037) // FNV-1a
		h = (h ^ uint64(kind)) * 1099511628211
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
		h ^= h >> 29
		count[int32(h%width)]++ //nolint:gosec // below width
	}
	for i, w := range words {
		add('w', w)
		if i > 0 {
			add('p', words[i-1]+" "+w)
		}
		runes := []rune(w)
		for n := 4; n <= 5; n++ {
			for k := 0; k+n <= len(runes) && len(runes) > n; k++ {
				add('r', string(runes[k:k+n]))
			}
		}
	}
	var f features
	norm := 0.0
	for _, at := range slices.Sorted(maps.Keys(count)) { // sums depend on the order
		v := float32(1 + math.Log(float64(count[at])))
		f.at, f.value = append(f.at, at), append(f.value, v)
		norm += float64(v) * float64(v)
	}
	for i := range f.value {
		f.value[i] /= float32(math.Sqrt(norm))
	}
	return f
}

// logistic is a logistic regression fitted by AdaGrad.
type logistic struct {
	w    []float32
	sum  []float32 // of squared gradients
	bias float64
}

const (
	passes = 12
	rate   = 0.5
	decay  = 1e-5
)

// fit learns from the texts at some places. The order is drawn by rng.
func fit(texts []features, labels []int8, at []int, rng *rand.Rand) *logistic {
	m := &logistic{w: make([]float32, width), sum: make([]float32, width)}
	order := append([]int(nil), at...)
	biasSum := 0.0
	for range passes {
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, i := range order {
			g := m.probability(&texts[i])
			if labels[i] == Present {
				g--
			}
			for k, at := range texts[i].at {
				d := float32(g)*texts[i].value[k] + decay*m.w[at]
				m.sum[at] += d * d
				m.w[at] -= rate * d / (float32(math.Sqrt(float64(m.sum[at]))) + 1e-6)
			}
			biasSum += g * g
			m.bias -= rate * g / (math.Sqrt(biasSum) + 1e-6)
		}
	}
	return m
}

// probability of presence.
func (m *logistic) probability(f *features) float64 {
	z := m.bias
	for k, at := range f.at {
		z += float64(m.w[at]) * float64(f.value[k])
	}
	return 1 / (1 + math.Exp(-z))
}
