package metrics

import "math"

// bins is the number of equal steps that probabilities are sorted into.
const bins = 10

// Calibration says how far probabilities are from what happens. The probability
// of a category is its score cut to [0,1]: scores are fitted by squared error to
// targets of 0 (absent) and 1 (present), so the score is the expected target. ECE
// is the expected calibration error: over ten equal steps of probability, the
// mean of |share of positives - mean probability|, weighed by rows.
type Calibration struct {
	ECE  float64 `json:"ece"`
	Rows int     `json:"rows"`
	Bins []Bin   `json:"bins"` // those that hold rows
}

// Bin are the rows whose probability lies in [From, From+0.1).
type Bin struct {
	From        float64 `json:"from"`
	Rows        int     `json:"rows"`
	Probability float64 `json:"probability"` // mean
	Frequency   float64 `json:"frequency"`   // share of positives
}

// Probability is the probability that a score stands for.
func Probability(score float64) float64 { return math.Min(math.Max(score, 0), 1) }

// Calibrate compares the scores of a category with the truth.
func Calibrate(truths []Truth, category int, score func(row int) float64) Calibration {
	var rows, positive [bins]int
	var sum [bins]float64
	out := Calibration{Bins: []Bin{}}
	for i, t := range truths {
		if !t.known(category) {
			continue
		}
		p := Probability(score(i))
		b := min(int(p*bins), bins-1)
		rows[b]++
		sum[b] += p
		if t.Positive[category] {
			positive[b]++
		}
		out.Rows++
	}
	for b, n := range rows {
		if n == 0 {
			continue
		}
		x := Bin{From: float64(b) / bins, Rows: n, Probability: sum[b] / float64(n), Frequency: ratio(positive[b], n)}
		out.ECE += math.Abs(x.Frequency-x.Probability) * float64(n) / float64(out.Rows)
		x.Probability, x.Frequency = Round(x.Probability), Round(x.Frequency)
		out.Bins = append(out.Bins, x)
	}
	out.ECE = Round(out.ECE)
	return out
}

// Temper rescales a score by a temperature: one above 1 makes it less sure, one
// below 1 surer. A score above 0 is taken as a probability p and becomes the one
// whose log-odds are those of p over the temperature (Guo et al. 2017, arXiv
// 1706.04599); absence, 0 and below, stays. Order and the range [-1,1] are kept.
// A temperature of 0 or 1 changes nothing.
func Temper(score, temperature float64) float64 {
	if score <= 0 || score >= 1 || temperature == 0 || temperature == 1 {
		return score
	}
	// 1/(1+e^-z) with z = log(p/(1-p))/T.
	return 1 / (1 + math.Exp((math.Log1p(-score)-math.Log(score))/temperature))
}

// Bounds of a temperature, and the least probability that a loss counts: a score
// of 0 that is wrong must not weigh without end.
const (
	minTemperature = 0.1
	maxTemperature = 10
	minProbability = 1e-3
)

// LogLoss is the mean of -log p of the truth, p being the tempered score.
func LogLoss(scores []float32, truth []bool, temperature float64) float64 {
	sum := 0.0
	for i, s := range scores {
		p := math.Min(math.Max(Temper(float64(s), temperature), minProbability), 1-minProbability)
		if !truth[i] {
			p = 1 - p
		}
		sum -= math.Log(p)
	}
	return sum / math.Max(float64(len(scores)), 1)
}

// Temperature returns the one with the least log loss on the given rows, in two
// decimals, and 1 if that gains nothing.
func Temperature(scores []float32, truth []bool) float64 {
	return LeastTemperature(func(t float64) float64 { return LogLoss(scores, truth, t) })
}

// LeastTemperature returns the temperature of the least loss, in two decimals, and 1 if
// that gains nothing.
func LeastTemperature(of func(temperature float64) float64) float64 {
	// The loss has one valley in log T, but for its ends; a golden-section
	// search finds it.
	const ratio = 0.6180339887498949
	low, high := math.Log(minTemperature), math.Log(maxTemperature)
	loss := func(x float64) float64 { return of(math.Exp(x)) }
	a, b := high-ratio*(high-low), low+ratio*(high-low)
	fa, fb := loss(a), loss(b)
	for high-low > 1e-3 {
		if fa <= fb {
			high, b, fb = b, a, fa
			a = high - ratio*(high-low)
			fa = loss(a)
		} else {
			low, a, fa = a, b, fb
			b = low + ratio*(high-low)
			fb = loss(b)
		}
	}
	t := math.Round(math.Exp((low+high)/2)*100) / 100
	if of(t) >= of(1) {
		return 1
	}
	return t
}
