package labelnoise

import (
	"math"
	"math/rand/v2"
)

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
