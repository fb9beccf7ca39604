package metrics

import "math"

// Softmax makes probabilities of logits, or of log probabilities, divided by a
// temperature: one above 1 makes them less sure. 0 is 1.
func Softmax(logits []float32, temperature float64) []float64 {
	if temperature == 0 {
		temperature = 1
	}
	top := math.Inf(-1)
	for _, x := range logits {
		top = math.Max(top, float64(x))
	}
	out, sum := make([]float64, len(logits)), 0.0
	for i, x := range logits {
		out[i] = math.Exp((float64(x) - top) / temperature)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

// ChoiceLoss is the mean cross entropy of tempered probabilities to targets that sum
// to 1, both by row and class.
func ChoiceLoss(logits, targets [][]float32, temperature float64) float64 {
	sum := 0.0
	for i, row := range logits {
		for c, p := range Softmax(row, temperature) {
			if t := float64(targets[i][c]); t > 0 {
				sum -= t * math.Log(math.Max(p, minProbability))
			}
		}
	}
	return sum / math.Max(float64(len(logits)), 1)
}

// CalibrateChoice compares how sure a classifier is of what it chose with how often that
// is right, by row.
func CalibrateChoice(probability []float64, right []bool) Calibration {
	truths := make([]Truth, len(right))
	for i, r := range right {
		truths[i].Positive = []bool{r}
	}
	return Calibrate(truths, 0, func(row int) float64 { return probability[row] })
}

// Choice is what a row is, or is said to be, of categories that exclude each other: the
// first that is positive, -1 if none is.
func Choice(positive []bool) int {
	for c, p := range positive {
		if p {
			return c
		}
	}
	return -1
}

// ChoiceConfusion counts answers (columns) by truth (rows), in the order of the
// categories, none last, over the rows of which all categories are known.
func ChoiceConfusion(categories int, truths []Truth, answers []Answer) [][]int {
	counts := make([][]int, categories+1)
	for i := range counts {
		counts[i] = make([]int, categories+1)
	}
	place := func(positive []bool) int {
		if c := Choice(positive); c >= 0 {
			return c
		}
		return categories
	}
	for i, t := range truths {
		if t.whole() {
			counts[place(t.Positive)][place(answers[i].Positive)]++
		}
	}
	return counts
}

// Commonest is the classifier that gives every row what is the most frequent among the
// training truths, a category or none, the first of the order among equals.
func Commonest(train []Truth, categories int) Answer {
	count := make([]int, categories+1) // none first
	for _, t := range train {
		if t.whole() {
			count[Choice(t.Positive)+1]++
		}
	}
	best := 0
	for c, n := range count {
		if n > count[best] || n == count[best] && best == 0 && n > 0 {
			best = c
		}
	}
	a := Answer{Positive: make([]bool, categories), Tags: make([]string, categories)}
	if best > 0 {
		a.Positive[best-1] = true
	}
	return a
}

// whole reports whether every category is known.
func (t Truth) whole() bool {
	for k := range t.Positive {
		if !t.known(k) {
			return false
		}
	}
	return true
}

// right reports whether an answer is right in every category.
func right(t Truth, a Answer) bool {
	for k, p := range t.Positive {
		if p != a.Positive[k] {
			return false
		}
	}
	return true
}

// Accuracy is the share of rows of which all categories are known and answered right.
func Accuracy(truths []Truth, answers []Answer) float64 {
	all, good := 0, 0
	for i, t := range truths {
		if !t.whole() {
			continue
		}
		all++
		if right(t, answers[i]) {
			good++
		}
	}
	return ratio(good, all)
}
